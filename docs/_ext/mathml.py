"""Formulas as MathML, which browsers draw themselves: no script and no network is needed."""

import xml.etree.ElementTree as ET

from latex2mathml.converter import convert

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
BARS = "|\u2016"  # which side they fence stands nowhere: operators on no side
CLOSING = (")", "]")
THIN = "0.1667em"


def drawn(text, **options):
    """MathML of a formula in LaTeX, with thin spaces around names of functions."""
    ET.register_namespace("", NAMESPACE)
    formula = ET.fromstring(convert(text, **options))
    for parent in formula.iter():
        if not is_(parent, *SCRIPTS, "mfrac", "mroot"):  # their children have places, not an order
            _space_names(parent)
        for child in parent:
            if is_(child, "mo") and (child.text in BARS or is_name(child)):
                child.set("lspace", "0")
                child.set("rspace", "0")
    return ET.tostring(formula, encoding="unicode")


def _space_names(row):
    """A thin space before the name of a function that follows a factor, and after its argument's.

    Fences are enough of a space: 2 sinh(x), and (a cosh x).
    """
    for place in range(len(row) - 1, 0, -1):
        before, after = row[place - 1], row[place]
        open_ = is_(before, "mo", "mspace") and not is_name(before) and before.text not in CLOSING
        if (is_name(before) or is_name(after)) and not open_ and not is_sign(after):
            row.insert(place, ET.Element(f"{{{NAMESPACE}}}mspace", width=THIN))


def is_name(node):
    """Whether it is the name of a function, such as sinh, with or without an index."""
    if is_(node, *SCRIPTS):
        return is_name(node[0])
    return is_(node, "mi", "mo") and len(node.text) > 1 and node.text.isalpha()


def is_sign(node):
    """Whether it is an operator or a space, which keep their own distance."""
    if is_(node, *SCRIPTS):
        return is_sign(node[0])
    return is_(node, "mo", "mspace") and not is_name(node)


def is_(node, *tags):
    """Whether an element has one of these tags."""
    return node.tag.removeprefix(f"{{{NAMESPACE}}}") in tags


def _inline(translator, node):
    translator.body.append(drawn(node.astext()))
    _skip()


def _block(translator, node):
    text = node.astext()
    rows = [text] if r"\begin" in text else text.replace("&", "").split(r"\\")
    lines = "".join(f"<div>{drawn(row.strip(), display='block')}</div>" for row in rows)
    translator.body.append(f'<div class="math">{lines}</div>')
    _skip()


def _skip():
    from docutils.nodes import SkipNode

    raise SkipNode


def setup(app):
    """Register the renderer under the name "mathml"."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
