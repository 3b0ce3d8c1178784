"""What a page links to, contains and leaves open."""

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "path"}


class Page(HTMLParser):
    """Ids, links, sources, text and tags of a page; raises on tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources, self.tags = [], [], [], []
        self.text, self.open, self.stack = [], 0, []
        self.feed(text)
        assert not self.stack, f"left open: {self.stack}"

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.sources += [values["src"]] if "src" in values else []
        if "href" in values:
            self.links.append(values["href"])
        self.open += tag == "details" and "open" in values
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            last = self.stack.pop()
            assert last == tag, f"<{last}> closed by </{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.stack[-1:] != ["style"]:
            self.text.append(data)

    @property
    def fragments(self):
        return [link[1:] for link in self.links if link.startswith("#")]
