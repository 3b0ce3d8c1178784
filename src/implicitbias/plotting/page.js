(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const REACH = 48; // pixels from which a point answers the pointer
const POINT = 4 / 3; // pixels
const LETTER = 6.7; // pixels, of a tick
let spoken = 0;

const exact = (v) => (v === "inf" ? "∞" : v === "-inf" ? "\u2212∞" : minus(String(v)));

// ---- where values stand -------------------------------------------------------------------------

// Values as their axis has them evenly spaced; null where it has no place for them.
const SCALES = {
  linear: () => (v) => v,
  log: () => (v) => (v > 0 ? Math.log10(v) : null),
  symlog: ({ within, share, base }) => (v) => {
    const size = Math.abs(v) / within;
    const far = size <= 1 ? share * size : share + Math.log(size) / Math.log(base);
    return Math.sign(v) * within * far;
  },
};

function scaled(axis) {
  const by = SCALES[axis.scale](axis);
  return { ...axis, by: (v) => (known(v) ? by(v) : null), whole: axis.limits.map(by) };
}

// What an axis shows between two ends, and the ticks that have room.
function window_(axis, [low, high], room, wide) {
  const at = (place) => (place - low) / (high - low);
  const [from, to] = low < high ? [low, high] : [high, low];
  const most = Math.max(2, Math.floor(room / (wide ? 72 : 42)));
  let ticks = (axis.ticks ?? []).map((tick) => ({ at: axis.by(tick.at), text: tick.text }));
  ticks = ticks.filter((tick) => tick.at !== null && tick.at >= from - 1e-9 && tick.at <= to + 1e-9);
  if (ticks.length < 2 && !axis.named && axis.scale !== "symlog") ticks = (axis.scale === "log" ? decades : steps)(from, to, Math.min(most, 8));
  ticks = ticks.filter((tick) => tick.text).map((tick) => ({ ...tick, at: at(tick.at) }));
  return { axis, low, high, at: (v) => { const place = axis.by(v); return place === null ? null : at(place); }, ticks: spread(ticks, room, wide) };
}

// The outermost ticks and those between, without any that would be written over another.
function spread(ticks, room, wide) {
  const size = (tick) => (wide ? tick.text.length * LETTER + 10 : 15) / room;
  const sorted = [...ticks].sort((a, b) => a.at - b.at);
  const kept = [];
  for (const tick of [sorted[0], sorted[sorted.length - 1], ...sorted].filter(Boolean)) {
    if (kept.every((other) => Math.abs(tick.at - other.at) > (size(tick) + size(other)) / 2)) kept.push(tick);
  }
  return kept;
}

// A number, or what the axis calls the very place.
function told(axis, v) {
  const tick = axis.ticks ? axis.ticks.find((each) => each.says && Math.abs(each.at - v) <= 1e-12 * Math.abs(v)) : null;
  return tick ? tick.text : exact(v);
}

// ---- a panel ------------------------------------------------------------------------------------

function build(spec, number) {
  const panel = { spec, x: scaled(spec.x), y: scaled(spec.y), off: new Set(), at: null, number };
  panel.view = [panel.x.whole, panel.y.whole];
  const figure = (panel.figure = make("figure", { class: "panel" }));
  if (data.panels.length > 1 && spec.title) figure.append(make("h2", {}, spec.title));
  panel.svg = make("svg", { class: "plot", role: "application", tabindex: 0, "aria-label": spec.alt, "aria-describedby": "keys", "aria-roledescription": "figure" });
  panel.tip = make("div", { class: "tip", hidden: "", "aria-hidden": "true" });
  figure.append(panel.svg, legend(panel), tools(panel), panel.tip);
  listen(panel);
  return panel;
}

function legend(panel) {
  const list = make("ul", { class: "legend", "aria-label": "Series" });
  if (panel.spec.key) list.append(make("li", { class: "quiet" }, panel.spec.key));
  for (const { name, series } of panel.spec.entries) {
    const members = panel.spec.series.filter((each) => each.group === name && (!each.x || each.x.length !== 0));
    const entry = members.length ? make("button", { type: "button", "aria-pressed": "true" }) : make("span", { class: "key" });
    entry.append(sample(panel.spec.series.filter((each) => each.group === name), panel.spec.series[series]), make("span", {}, name));
    if (members.length) entry.addEventListener("click", () => toggle(panel, name, entry));
    const item = make("li");
    item.append(entry);
    list.append(item);
  }
  return list;
}

function toggle(panel, name, entry) {
  if (!panel.off.delete(name)) panel.off.add(name);
  entry.setAttribute("aria-pressed", String(!panel.off.has(name)));
  hush(panel);
  draw(panel);
}

function sample(all, series) {
  const box = make("svg", { viewBox: "0 0 34 14", "aria-hidden": "true" });
  const line = series.dash ? series : all.find((each) => each.dash && each.stroke) ?? series;
  if (line.kind === "area") box.append(paint(make("rect", { x: 2, y: 2, width: 30, height: 10, class: "area" }), null, line.fill, line));
  else if (line.dash) box.append(paint(make("line", { x1: 1, x2: 33, y1: 7, y2: 7, class: "line" }), line.stroke, null, line));
  if (series.marker) box.append(mark(series, 17, 7));
  return box;
}

function tools(panel) {
  const box = make("div", { class: "tools" });
  for (const [text, act] of [["Zoom in", () => zoom(panel, 0.5)], ["Zoom out", () => zoom(panel, 2)], ["All of it", () => whole(panel)]]) {
    const button = make("button", { type: "button" }, text);
    button.addEventListener("click", act);
    box.append(button);
  }
  return box;
}

// ---- drawing ------------------------------------------------------------------------------------

// A line, or a face, in its two colours.
function paint(node, stroke, fill, series) {
  const colour = stroke ?? fill;
  if (colour) {
    node.classList.add(stroke ? "stroke" : "filled");
    node.setAttribute("style", `--light:${colour[0]};--dark:${colour[1]}`);
  }
  if (stroke) {
    const width = (series.width ?? 1) * POINT;
    node.setAttribute("stroke-width", width);
    if (series.dash && series.dash.length) node.setAttribute("stroke-dasharray", series.dash.map((part) => (part * width).toFixed(2)).join(" "));
  }
  if (series.opacity !== undefined) node.setAttribute("opacity", series.opacity);
  return node;
}

// A marker's face and its edge, which differ in colour.
function mark(series, x, y) {
  const { shape, fill, edge, width } = series.marker;
  const whole = make("g", { transform: `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${POINT})` });
  if (fill) whole.append(paint(make("path", { d: shape }), null, fill, { opacity: series.opacity }));
  if (edge && width) {
    const rim = paint(make("path", { d: shape, fill: "none" }), edge, null, { opacity: series.opacity });
    rim.setAttribute("stroke-width", width);
    whole.append(rim);
  }
  return whole;
}

function draw(panel) {
  const { spec, view } = panel;
  const names = (spec.y.ticks ?? []).map((tick) => tick.text.length * LETTER + 30);
  const width = Math.max(panel.svg.parentNode.clientWidth, 200);
  const left = Math.min(Math.max(58, ...names), 0.42 * width);
  const inner = width - left - 14;
  const span = view.map(([low, high]) => Math.abs(high - low));
  const ratio = spec.equal ? span[1] / span[0] : Math.max(spec.ratio, width < 500 ? 0.8 : 0);
  const high = Math.min(inner * ratio, spec.equal ? 560 : 460);
  const box = (panel.box = { ...refit(panel.svg, (high + 50) / width, 1e4), left });
  if (spec.equal) box.right = left + Math.min(inner, high / ratio);
  const across = (panel.across = window_(panel.x, view[0], box.right - left, true));
  const up = (panel.up = window_(panel.y, view[1], box.bottom - box.top, false));
  panel.to = (x, y) => {
    const [a, b] = [across.at(x), up.at(y)];
    return a === null || b === null ? null : [left + a * (box.right - left), box.bottom - b * (box.bottom - box.top)];
  };
  rim(box, spec, across, { ...up, ticks: up.ticks.map((tick) => ({ ...tick, text: cut(tick.text, left - 24) })) });
  panel.svg.append(make("path", { class: "rim", d: `M${left} ${box.top}V${box.bottom}H${box.right}` }));
  const inside = `inside-${panel.number}`;
  const clip = make("clipPath", { id: inside });
  clip.append(make("rect", { x: left - 1, y: box.top - 1, width: box.right - left + 2, height: box.bottom - box.top + 2 }));
  const layer = make("g", { "clip-path": `url(#${inside})` });
  panel.svg.append(clip, layer);
  panel.points = [];
  spec.series.forEach((series, k) => {
    if (!panel.off.has(series.group)) KINDS[series.kind](panel, layer, series, k);
  });
  panel.ring = make("circle", { class: "ring", r: 8, visibility: "hidden" });
  panel.svg.append(panel.ring);
}

const cut = (text, room) => (text.length * LETTER <= room ? text : `${text.slice(0, Math.max(1, Math.floor(room / LETTER) - 1))}…`);

// What is far outside is kept within what browsers draw.
const near = (at) => at.map((v) => Math.max(-1e5, Math.min(1e5, v)).toFixed(2)).join(" ");

function outline(places, step) {
  let path = "";
  let last = null;
  for (const place of places) {
    if (place && last && step) path += turns(last, place, step).map((at) => `L${near(at)}`).join("");
    if (place) path += `${last ? "L" : "M"}${near(place)}`;
    last = place;
  }
  return path;
}

function turns([a, b], [c, d], step) {
  if (step === "post") return [[c, b]];
  return step === "pre" ? [[a, d]] : [[(a + c) / 2, b], [(a + c) / 2, d]];
}

const KINDS = {
  line(panel, layer, series, k) {
    const places = series.x.map((x, i) => panel.to(x, series.y[i]));
    if (series.dash && series.stroke) layer.append(paint(make("path", { class: "line", "data-series": k, d: outline(places, series.step) }), series.stroke, null, series));
    const seen = (at) => at && at[0] >= panel.box.left - 1 && at[0] <= panel.box.right + 1 && at[1] >= panel.box.top - 1 && at[1] <= panel.box.bottom + 1;
    places.forEach((at, i) => {
      if (!seen(at)) return;
      if (series.marker) layer.append(mark(series, ...at));
      if (series.group !== null) panel.points.push({ k, i, at, x: series.x[i], y: series.y[i] });
    });
  },
  area(panel, layer, series) {
    const path = outline(series.x.map((x, i) => panel.to(x, series.y[i])));
    if (series.fill) layer.append(paint(make("path", { class: "area", d: path }), null, series.fill, series));
  },
  rule(panel, layer, series, k) {
    const { box } = panel;
    const place = (series.along === "x" ? panel.across : panel.up).at(series.at);
    if (place === null || place < -1e-9 || place > 1 + 1e-9) return;
    const along = series.along === "x" ? [box.bottom, box.top] : [box.left, box.right];
    const [from, to] = series.span.map((part) => along[0] + part * (along[1] - along[0]));
    const at = series.along === "x" ? box.left + place * (box.right - box.left) : box.bottom - place * (box.bottom - box.top);
    const ends = series.along === "x" ? { x1: at, x2: at, y1: from, y2: to } : { x1: from, x2: to, y1: at, y2: at };
    layer.append(paint(make("line", { class: "line", ...ends }), series.stroke, null, series));
    if (!series.group) return;
    const middle = (from + to) / 2;
    panel.points.push({ k, i: 0, at: series.along === "x" ? [at, middle] : [middle, at], [series.along]: series.at, rule: series.along });
  },
  arrows(panel, layer, series) {
    const size = (panel.box.right - panel.box.left) / series.scale;
    series.x.forEach((x, i) => {
      const at = panel.to(x, series.y[i]);
      const [u, v] = [series.u[i], series.v[i]];
      if (!at || !known(u) || !known(v)) return;
      const [a, b] = [at[0] + u * size, at[1] - v * size];
      const head = (side) => `M${near([a, b])}l${near([0.3 * size * (-u + side * 0.6 * v), 0.3 * size * (v + side * 0.6 * u)])}`;
      layer.append(paint(make("path", { class: "line", d: `M${near(at)}L${near([a, b])}${head(1)}${head(-1)}` }), series.stroke, null, { ...series, width: 0.9 }));
    });
  },
  text(panel, layer, series) {
    const { box } = panel;
    const at = series.inside ? [box.left + series.x * (box.right - box.left), box.bottom - series.y * (box.bottom - box.top)] : panel.to(series.x, series.y);
    if (at) layer.append(make("text", { class: "note", x: at[0], y: at[1] - 3, "text-anchor": series.anchor }, series.text));
  },
};

// ---- numbers ------------------------------------------------------------------------------------

function show(panel, point) {
  const { spec, box } = panel;
  const series = spec.series[point.k];
  panel.at = { k: point.k, i: point.i };
  const parts = ["x", "y"].filter((which) => point[which] !== undefined);
  const lines = parts.map((which) => said(spec[which], which, point[which]));
  say(panel.figure, panel.tip, series.group ? [series.group, ...lines] : lines, point.at[0], box.top);
  panel.ring.setAttribute("cx", point.at[0]);
  panel.ring.setAttribute("cy", point.at[1]);
  panel.ring.setAttribute("visibility", "visible");
  clearTimeout(spoken);
  spoken = setTimeout(() => (document.getElementById("now").textContent = [series.group, ...lines].filter(Boolean).join("; ")), 150);
}

function said(axis, which, v) {
  const text = told(axis, v);
  return !axis.label && text !== exact(v) ? text : `${axis.label || which}: ${text}`;
}

function hush(panel) {
  panel.tip.hidden = true;
  panel.at = null;
  panel.ring?.setAttribute("visibility", "hidden");
}

const place = (panel, event) => {
  const seen = panel.svg.getBoundingClientRect();
  return [event.clientX - seen.left, event.clientY - seen.top];
};

// Of two points as near, the one that is drawn on top.
function nearest(panel, [x, y]) {
  let [best, least] = [null, REACH];
  for (const point of panel.points) {
    const away = point.rule === "x" ? Math.abs(point.at[0] - x) : point.rule === "y" ? Math.abs(point.at[1] - y) : Math.hypot(point.at[0] - x, point.at[1] - y);
    if (away <= least) [best, least] = [point.rule ? { ...point, at: point.rule === "x" ? [point.at[0], y] : [x, point.at[1]] } : point, away];
  }
  return best;
}

// From point to point, or to the point of the next series that is nearest.
function walk(panel, along, over) {
  const { points, at } = panel;
  if (!points.length) return;
  const here = at ? points.find((point) => point.k === at.k && point.i === at.i) : null;
  if (!here) return show(panel, points[0]);
  if (along) {
    const own = points.filter((point) => point.k === here.k);
    return show(panel, own[Math.max(0, Math.min(own.length - 1, own.indexOf(here) + along))]);
  }
  const series = [...new Set(points.map((point) => point.k))];
  const next = series[(series.indexOf(here.k) + over + series.length) % series.length];
  const away = (point) => Math.abs(point.at[0] - here.at[0]);
  show(panel, points.filter((point) => point.k === next).reduce((a, b) => (away(b) < away(a) ? b : a)));
}

// ---- zoom ---------------------------------------------------------------------------------------

function look(panel, view) {
  if (!view.every(([low, high]) => Number.isFinite(high - low) && Math.abs(high - low) > 1e-12 * Math.max(Math.abs(low), Math.abs(high)))) return;
  hush(panel);
  panel.view = view;
  draw(panel);
}

const whole = (panel) => look(panel, [panel.x.whole, panel.y.whole]);

// About the point that is shown, or the middle.
function zoom(panel, factor) {
  const { at } = panel;
  const point = at ? panel.points.find((each) => each.k === at.k && each.i === at.i) : null;
  look(panel, [panel.across, panel.up].map(({ low, high }, k) => {
    const { left, right, top, bottom } = panel.box;
    const part = !point ? 0.5 : k ? (bottom - point.at[1]) / (bottom - top) : (point.at[0] - left) / (right - left);
    const centre = low + part * (high - low);
    return [centre + factor * (low - centre), centre + factor * (high - centre)];
  }));
  if (point) {
    const again = panel.points.find((each) => each.k === point.k && each.i === point.i);
    if (again) show(panel, again);
  }
}

function framed(panel, from, to) {
  const { box, across, up } = panel;
  const part = ([x, y]) => [(x - box.left) / (box.right - box.left), (box.bottom - y) / (box.bottom - box.top)].map((v) => Math.max(0, Math.min(1, v)));
  const [a, b] = [part(from), part(to)];
  look(panel, [across, up].map(({ low, high }, k) => [Math.min(a[k], b[k]), Math.max(a[k], b[k])].map((v) => low + v * (high - low))));
}

function listen(panel) {
  const { svg } = panel;
  let from = null;
  let band = null;
  svg.addEventListener("pointermove", (event) => {
    const at = place(panel, event);
    if (from && event.buttons === 1) {
      hush(panel);
      band = band ?? svg.appendChild(make("rect", { class: "zoom" }));
      const [x, y] = [Math.min(at[0], from[0]), Math.min(at[1], from[1])];
      for (const [name, value] of Object.entries({ x, y, width: Math.abs(at[0] - from[0]), height: Math.abs(at[1] - from[1]) })) band.setAttribute(name, value);
      return;
    }
    const point = nearest(panel, at);
    if (point) show(panel, point);
    else hush(panel);
  });
  svg.addEventListener("pointerdown", (event) => {
    if (event.isPrimary && event.button === 0 && event.pointerType !== "touch") from = place(panel, event);
    else if (event.isPrimary) [nearest(panel, place(panel, event))].filter(Boolean).forEach((point) => show(panel, point));
  });
  const done = (event) => {
    const to = place(panel, event);
    band?.remove();
    if (band && from && Math.abs(to[0] - from[0]) > 8 && Math.abs(to[1] - from[1]) > 8) framed(panel, from, to);
    [from, band] = [null, null];
  };
  svg.addEventListener("pointerup", done);
  svg.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") hush(panel);
    band?.remove();
    [from, band] = [null, null];
  });
  svg.addEventListener("dblclick", () => whole(panel));
  const keys = {
    ArrowLeft: () => walk(panel, -1, 0), ArrowRight: () => walk(panel, 1, 0),
    Home: () => walk(panel, -Infinity, 0), End: () => walk(panel, Infinity, 0),
    ArrowUp: () => walk(panel, 0, 1), ArrowDown: () => walk(panel, 0, -1),
    "+": () => zoom(panel, 0.5), "=": () => zoom(panel, 0.5), "-": () => zoom(panel, 2),
    0: () => whole(panel), Escape: () => hush(panel),
  };
  svg.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
}

// ---- the page -----------------------------------------------------------------------------------

if (window !== parent) document.documentElement.classList.add("framed");
const panels = data.panels.map(build);
document.getElementById("notes").textContent = data.notes.join(" ");
document.getElementById("panels").append(...panels.map((panel) => panel.figure));
let width = 0;

function fit() {
  if (document.documentElement.clientWidth === width) return;
  width = document.documentElement.clientWidth;
  panels.forEach(draw);
  try {
    if (frameElement) frameElement.style.height = `${document.documentElement.scrollHeight + 4}px`;
  } catch {
    // the frame of another site keeps its height
  }
}

fit();
addEventListener("resize", fit);
document.documentElement.dataset.ready = performance.now().toFixed(1);
})();
