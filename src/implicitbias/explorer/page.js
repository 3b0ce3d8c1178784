(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const DASHES = ["", "7 4", "8 3 2 3", "2 3", "14 4", "8 3 2 3 2 3"];
const COLOURED = 6;
const state = { task: 0, values: {} };
let timer = 0;
let spoken = 0;

// ---- the state and its controls -----------------------------------------------------------------

const task = () => data.tasks[state.task];
const frame = () => task().store[task().frames[task().by.map((id) => state.values[id]).join(".")]];
const length = () => (frame().x ? frame().x.length : 1);
const cursor = () => Math.min(state.values[task().cursor], length() - 1);

function place(x) {
  const spec = task().figures[task().figures.length - 1].x;
  const v = frame().x ? frame().x[x] : null;
  return v === 0 && spec.zero ? spec.zero : v === "inf" && spec.infinity ? spec.infinity : short(v, 3);
}

function shown(control) {
  const i = state.values[control.id];
  return control.id === task().cursor && frame().x ? place(cursor()) : control.options[i];
}

function choose(control, value) {
  state.values[control.id] = value;
  refresh();
}

function build() {
  const form = byId("controls");
  form.replaceChildren();
  if (data.tasks.length > 1) form.append(taskControl());
  for (const control of task().controls) {
    const known = state.values[control.id];
    state.values[control.id] = known === undefined ? control.start : Math.min(known, control.options.length - 1);
    if (control.options.length < 2) continue;
    form.append(control.kind === "select" ? selected(control) : slider(control));
  }
  const play = make("button", { type: "button", id: "play" }, "▶ Play");
  play.addEventListener("click", () => (timer ? stop() : start()));
  form.append(play);
  byId("task-about").textContent = task().about;
  byId("figures").replaceChildren(...task().figures.map(holder));
}

function labelled(id, text) {
  const box = make("div", { class: "control" });
  box.append(make("label", { for: id }, text));
  return box;
}

function listed(id, text, options, chosen) {
  const box = labelled(id, text);
  const list = make("select", { id });
  options.forEach((option, i) => {
    const item = make("option", { value: i }, option);
    item.selected = i === chosen;
    list.append(item);
  });
  box.append(list);
  return [box, list];
}

function taskControl() {
  const [box, list] = listed("control-task", "Task", data.tasks.map((each) => each.name), state.task);
  list.addEventListener("change", () => {
    stop();
    state.task = Number(list.value);
    state.values = {};
    build();
    refresh();
    byId("control-task").focus();
  });
  return box;
}

function selected(control) {
  const [box, list] = listed(`control-${control.id}`, control.label, control.options, state.values[control.id]);
  list.addEventListener("change", () => choose(control, Number(list.value)));
  return box;
}

function slider(control) {
  const id = `control-${control.id}`;
  const box = labelled(id, control.label);
  const input = make("input", { type: "range", id, min: 0, max: control.options.length - 1, step: 1 });
  input.value = state.values[control.id];
  input.addEventListener("input", () => {
    if (control.id === task().cursor) stop();
    choose(control, Number(input.value));
  });
  box.append(input, make("output", { for: id }));
  return box;
}

function start() {
  if (cursor() === length() - 1) state.values[task().cursor] = 0;
  byId("play").textContent = "❚❚ Pause";
  timer = setInterval(() => {
    if (cursor() >= length() - 1) return stop();
    state.values[task().cursor] = cursor() + 1;
    refresh();
  }, 350);
  refresh();
}

function stop() {
  clearInterval(timer);
  timer = 0;
  if (byId("play")) byId("play").textContent = "▶ Play";
}

function restore() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const number = (name, most) => {
    const value = Number(asked.get(name));
    return asked.has(name) && Number.isInteger(value) && value >= 0 && value <= most ? value : undefined;
  };
  state.task = number("task", data.tasks.length - 1) ?? 0;
  state.values = {};
  for (const control of task().controls) {
    const value = number(control.id, control.options.length - 1);
    if (value !== undefined) state.values[control.id] = value;
  }
}

function remember() {
  try {
    history.replaceState(null, "", "#" + new URLSearchParams({ task: state.task, ...state.values }));
  } catch {
    // a frame inside a notebook has no address
  }
}

// ---- axes ---------------------------------------------------------------------------------------

// Where a value stands between the ends of its axis, 0 to 1, and what is written beside it.
function axis(values, spec, most, room = 0) {
  const scaled = (v) => (spec.log ? Math.log10(v) : v);
  const inside = values.map(number).filter((v) => known(v) && (!spec.log || v > 0)).map(scaled);
  let low = inside.length ? inside.reduce((a, b) => Math.min(a, b)) : 0;
  let high = inside.length ? inside.reduce((a, b) => Math.max(a, b)) : 1;
  if (!(high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high)))) {
    const pad = spec.log ? 0.5 : Math.max(Math.abs(high), 1e-300) * 0.1;
    [low, high] = [low - pad, high + pad];
  }
  [low, high] = [low - room * (high - low), high + room * (high - low)];
  const left = spec.zero && values.includes(0) ? 0.1 : 0;
  const right = spec.infinity && values.includes("inf") ? 0.1 : 0;
  const at = (v) => left + ((v - low) / (high - low)) * (1 - left - right);
  const ticks = (spec.log ? decades : steps)(low, high, most).map((t) => ({ at: at(t.at), text: t.text }));
  const apart = (tick) => (!left || tick.at > 0.05) && (!right || tick.at < (spec.infinity.length > 1 ? 0.9 : 0.95));
  const kept = ticks.filter(apart);
  if (left) kept.unshift({ at: 0, text: spec.zero });
  if (right) kept.push({ at: 1, text: spec.infinity });
  const position = (v) => {
    if (v === null) return null;
    if (v === 0 && left) return 0;
    if (v === "inf") return right ? 1 : null;
    return known(v) && (!spec.log || v > 0) ? at(scaled(v)) : null;
  };
  return { position, ticks: kept, left, right };
}

// ---- figures ------------------------------------------------------------------------------------

function holder(spec) {
  const figure = make("figure", { id: `figure-${spec.id}` });
  const tip = make("div", { class: "tip", hidden: "", "aria-hidden": "true" });
  figure.append(make("h2", {}, spec.title), make("svg", { role: "img" }), make("ul", { class: "legend" }), make("figcaption", {}, spec.caption), tip);
  return figure;
}

function series(spec) {
  const now = frame();
  if (spec.rows) {
    return spec.rows.filter((i) => now.rows[i]).map((i, k) => look(now.rows[i].name, now.rows[i].values, k, k));
  }
  const found = [];
  const columns = now.columns.filter((column) => !column.fixed);
  now.names.slice(0, spec.most).forEach((name, j) => {
    columns.forEach((column, c) => {
      const title = columns.length > 1 ? `${name}, ${column.name}` : name;
      found.push(look(title, column.values.map((row) => row[j]), j, columns.length > 1 ? c : j));
    });
  });
  return found;
}

function look(name, values, rank, dash) {
  const rest = rank >= COLOURED;
  return { name, values, rest, colour: rest ? "var(--rest)" : `var(--c${rank})`, dash: rest ? "" : DASHES[dash] };
}

function range(lines) {
  const values = lines.filter((line) => !line.name.endsWith(", descent")).flatMap((line) => line.values);
  const size = values.filter(known).reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  const others = lines.flatMap((line) => line.values).filter((v) => known(v) && Math.abs(v) <= 3 * size);
  return size && lines.length > values.length / frame().x.length ? [...values, ...others] : values;
}

function curves(spec, figure) {
  const lines = series(spec);
  figure.hidden = !lines.length;
  if (!lines.length) return;
  const box = refit(figure.querySelector("svg"), 0.62, 380);
  const { svg, left, right, top, bottom } = box;
  const xs = frame().x;
  const x = axis(xs, spec.x, box.width < 480 ? 4 : 7);
  const y = axis(range(lines), spec.y, 5, 0.05);
  rim(box, spec, x, y);
  const across = xs.map((v) => left + x.position(v) * (right - left));
  const down = (v) => {
    const at = y.position(v);
    return at === null ? null : bottom - Math.max(-0.03, Math.min(1.03, at)) * (bottom - top);
  };
  const zero = spec.y.log ? null : down(0);
  if (zero !== null && zero <= bottom && zero >= top) svg.append(make("line", { class: "zero", x1: left, x2: right, y1: zero, y2: zero }));
  for (const line of [...lines].reverse()) drawCurve(svg, line, across, down, x);
  const here = across[cursor()];
  svg.append(make("line", { class: "cursor", x1: here, x2: here, y1: top, y2: bottom }));
  for (const line of lines) {
    const at = down(line.values[cursor()]);
    if (at !== null && !line.rest) svg.append(make("circle", { cx: here, cy: at, r: 4, fill: line.colour }));
  }
  legend(figure, lines.filter((line) => !line.rest), lines.some((line) => line.rest));
  svg.setAttribute("aria-label", `${spec.title}. ${spec.y.label} by ${spec.x.label}. At ${place(cursor())}: ${lines.slice(0, 6).map((line) => `${line.name} ${short(line.values[cursor()])}`).join(", ")}.`);
  hoverable(figure, box, across, (i) => [`${spec.x.label.split(" (")[0]}: ${place(i)}`, ...lines.slice(0, 10).map((line) => `${line.name}: ${short(line.values[i])}`)]);
}

function drawCurve(svg, line, across, down, x) {
  const style = { stroke: line.colour, "stroke-dasharray": line.dash };
  const ends = [x.left ? 0 : -1, x.right ? across.length - 1 : -1];
  let path = "";
  let pen = false;
  line.values.forEach((v, i) => {
    const at = down(v);
    if (ends.includes(i) || at === null) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${across[i].toFixed(1)} ${at.toFixed(1)}`;
    pen = true;
  });
  svg.append(make("path", { class: line.rest ? "curve rest" : "curve", d: path, ...style }));
  for (const [i, next] of [[ends[0], 1], [ends[1], across.length - 2]]) {
    if (i < 0 || next < 0) continue;
    const [at, beside] = [down(line.values[i]), down(line.values[next])];
    if (at === null) continue;
    if (beside !== null) svg.append(make("line", { class: "gap", x1: across[i], y1: at, x2: across[next], y2: beside, stroke: line.colour }));
    svg.append(make("circle", { cx: across[i], cy: at, r: line.rest ? 2 : 3.5, fill: line.colour }));
  }
}

function legend(figure, entries, others) {
  const list = figure.querySelector(".legend");
  list.replaceChildren();
  for (const entry of entries) {
    const item = make("li");
    const sample = make("svg", { viewBox: "0 0 28 12", "aria-hidden": "true" });
    sample.append(entry.mark ? symbol(entry.mark, 14, 6) : make("line", { x1: 1, x2: 27, y1: 6, y2: 6, stroke: entry.colour, "stroke-width": entry.wide ?? 2.2, "stroke-dasharray": entry.dash ?? "" }));
    item.append(sample, make("span", {}, entry.name));
    list.append(item);
  }
  if (others) list.append(make("li", { class: "quiet" }, "grey: the others"));
}

function hoverable(figure, box, across, text) {
  const { svg, top, bottom } = box;
  const tip = figure.querySelector(".tip");
  const hair = make("line", { class: "hair", y1: top, y2: bottom, visibility: "hidden" });
  svg.append(hair);
  const nearest = (event) => {
    const at = ((event.clientX - svg.getBoundingClientRect().left) * box.width) / svg.clientWidth;
    return across.reduce((best, v, i) => (Math.abs(v - at) < Math.abs(across[best] - at) ? i : best), 0);
  };
  svg.onpointermove = (event) => {
    const i = nearest(event);
    hair.setAttribute("x1", across[i]);
    hair.setAttribute("x2", across[i]);
    hair.setAttribute("visibility", "visible");
    say(figure, tip, text(i), across[i], top);
    if (event.buttons === 1 && i !== cursor()) move(i);
  };
  svg.onpointerdown = (event) => {
    if (event.isPrimary) move(nearest(event));
  };
  svg.onpointerleave = () => {
    tip.hidden = true;
    hair.setAttribute("visibility", "hidden");
  };
}

function move(i) {
  stop();
  state.values[task().cursor] = i;
  refresh();
}

// ---- the plane ----------------------------------------------------------------------------------

const SYMBOLS = {
  start: (x, y) => make("circle", { cx: x, cy: y, r: 4.5, fill: "var(--ground)", stroke: "var(--ink)", "stroke-width": 1.6 }),
  limit: (x, y) => make("polygon", { points: `${x},${y - 6} ${x + 6},${y} ${x},${y + 6} ${x - 6},${y}`, fill: "var(--c1)", stroke: "var(--ink)" }),
  here: (x, y) => make("circle", { cx: x, cy: y, r: 4.5, fill: "var(--c0)", stroke: "var(--ink)" }),
  there: (x, y) => make("rect", { x: x - 4, y: y - 4, width: 8, height: 8, fill: "var(--c3)", stroke: "var(--ink)" }),
};
const symbol = (kind, x, y) => SYMBOLS[kind](x, y);

function plane(spec, figure) {
  const seen = frame().plane;
  figure.hidden = !seen;
  if (!seen) return;
  const box = refit(figure.querySelector("svg"), 0.94, 470);
  const { svg, top, bottom } = box;
  const side = Math.min(box.right - box.left, bottom - top);
  box.right = box.left + side;
  box.bottom = box.top + side;
  const [[x0, y0], [x1, y1]] = seen.window;
  const span = Math.max(x1 - x0, y1 - y0);
  const middle = [(x0 + x1) / 2, (y0 + y1) / 2];
  const low = middle.map((v) => v - span / 2);
  const to = ([a, b]) => [box.left + ((a - low[0]) / span) * side, box.bottom - ((b - low[1]) / span) * side];
  const ticks = (k) => ({ ticks: steps(low[k], low[k] + span, 5).map((t) => ({ at: (t.at - low[k]) / span, text: t.text })) });
  rim(box, spec, ticks(0), ticks(1));
  const clip = make("clipPath", { id: "inside" });
  clip.append(make("rect", { x: box.left, y: box.top, width: side, height: side }));
  const inside = make("g", { "clip-path": "url(#inside)" });
  svg.append(clip, inside);
  const line = (points, attributes) => {
    const text = points.filter((p) => p.every(known)).map(to).map((p) => p.map((v) => v.toFixed(1)).join(" ")).join("L");
    if (text) inside.append(make("path", { class: "curve", d: `M${text}`, ...attributes }));
  };
  ground(inside, seen, to, span, low);
  const entries = [{ name: seen.minima ? "all solutions" : "separators", colour: "var(--rest)", wide: 6 }];
  if (!seen.minima && !seen.cone.length) entries.pop();
  drawPaths(seen, line, entries);
  const marks = [...seen.marks, ...seen.moving.map((each) => ({ ...each, at: (each.points ?? columnPoints(each.column))[cursor()] }))];
  for (const mark of marks) {
    if (!mark.at || !mark.at.every(known)) continue;
    inside.append(symbol(mark.kind, ...to(mark.at)));
    entries.push({ name: mark.name, mark: mark.kind });
  }
  legend(figure, entries, false);
  const told = marks.filter((mark) => mark.at && mark.at.every(known)).map((mark) => (seen.radial ? mark.name : `${mark.name} (${mark.at.map((v) => short(v)).join(", ")})`));
  svg.setAttribute("aria-label", `${spec.title}. At ${place(cursor())}: ${told.join("; ")}.`);
  const tip = figure.querySelector(".tip");
  svg.onpointermove = () => say(figure, tip, told, box.right - 8, top);
  svg.onpointerleave = () => (tip.hidden = true);
}

const columnPoints = (c) => frame().columns[c].values;

function ground(inside, seen, to, span, low) {
  const far = 4 * span + Math.abs(low[0]) + Math.abs(low[1]);
  for (const ends of [[[0, -far], [0, far]], [[-far, 0], [far, 0]]]) {
    const [[a, b], [c, d]] = ends.map(to);
    inside.append(make("line", { class: "zero", x1: a, y1: b, x2: c, y2: d }));
  }
  if (seen.minima) {
    const [p, v] = seen.minima;
    const [[a, b], [c, d]] = [-far, far].map((k) => to([p[0] + k * v[0], p[1] + k * v[1]]));
    inside.append(make("line", { class: "minima", x1: a, y1: b, x2: c, y2: d }));
  }
  if (seen.cone.length) {
    const corners = [[0, 0], ...seen.cone.map((v, i) => v.map((w) => w * far * [1, 2, 1][i]))].map(to);
    inside.append(make("polygon", { class: "cone", points: corners.map((p) => p.join(",")).join(" ") }));
  }
}

function drawPaths(seen, line, entries) {
  const level = seen.levels && seen.levels[cursor()];
  if (level) {
    const half = [...level, ...[...level].reverse().map(([a, b]) => [-a, b])];
    line([...half, ...half.map(([a, b]) => [-a, -b]), level[0]], { class: "level" });
    entries.push({ name: "level set of the potential", colour: "var(--c1)", wide: 1.4 });
  }
  seen.lines.forEach((each, i) => {
    const thin = Boolean(seen.paths);
    const colour = thin ? "var(--c2)" : `var(--c${i ? 3 : 0})`;
    const dash = thin ? "2 4" : DASHES[i];
    line(each.points ?? columnPoints(each.column), { stroke: colour, "stroke-dasharray": dash });
    entries.push({ name: each.name, colour, dash });
  });
  const path = seen.paths && seen.paths.points[cursor()];
  if (path) {
    line(path, { stroke: "var(--c0)" });
    entries.push({ name: seen.paths.name, colour: "var(--c0)" });
  }
}

// ---- words and numbers --------------------------------------------------------------------------

function cell(value) {
  const box = make("td");
  const exact = value === null || value === undefined ? "" : String(value);
  box.append(make("data", { value: exact, title: exact }, short(value)));
  return box;
}

function table() {
  const now = frame();
  const [head, body] = [document.querySelector("#numbers thead"), document.querySelector("#numbers tbody")];
  const top = make("tr");
  top.append(make("th", { scope: "col" }, "coefficient"), ...now.columns.map((column) => make("th", { scope: "col" }, column.name)));
  head.replaceChildren(top);
  const at = (values) => values[Math.min(cursor(), values.length - 1)];
  const line = (name, values) => {
    const row = make("tr");
    row.append(make("th", { scope: "row" }, name), ...values.map(cell));
    return row;
  };
  const rest = now.rows.filter((row) => row.listed).map((row) => line(row.name, [at(row.values)]));
  body.replaceChildren(...now.names.map((name, j) => line(name, now.columns.map((column) => at(column.values)[j]))), ...rest);
}

function sentence() {
  const set = task().controls.filter((control) => control.options.length > 1).map((control) => `${control.label}: ${shown(control)}`);
  const now = frame();
  if (now.refused) return `${set.join("; ")}. Nothing is predicted here.`;
  const values = now.columns[0].values[Math.min(cursor(), now.columns[0].values.length - 1)];
  const first = now.names.slice(0, 3).map((name, j) => `${name} = ${short(values[j], 4)}`);
  return `${set.join("; ")}. ${first.join(", ")}. ${now.said[cursor()]}`;
}

function refresh() {
  const now = frame();
  for (const control of task().controls) {
    const input = byId(`control-${control.id}`);
    if (!input) continue;
    const moving = control.id === task().cursor && !now.refused;
    if (moving) input.max = length() - 1;
    input.value = moving ? cursor() : state.values[control.id];
    if (input.type === "range") {
      input.setAttribute("aria-valuetext", shown(control));
      input.nextElementSibling.textContent = shown(control);
    }
  }
  byId("refused").hidden = !now.refused;
  byId("refused").textContent = now.refused ?? "";
  for (const id of ["figures", "numbers"]) byId(id).hidden = Boolean(now.refused);
  if (!now.refused) {
    draw();
    table();
  }
  clearTimeout(spoken);
  spoken = setTimeout(settled, 200);
}

// Only where sliders have come to rest: readers are not flooded, and the address is written rarely.
function settled() {
  byId("now").textContent = sentence();
  remember();
}

function draw() {
  for (const spec of task().figures) (spec.kind === "plane" ? plane : curves)(spec, byId(`figure-${spec.id}`));
}

byId("about").textContent = data.about;
byId("controls").addEventListener("submit", (event) => event.preventDefault());
restore();
build();
refresh();
settled();
let width = document.documentElement.clientWidth;
addEventListener("resize", () => {
  if (document.documentElement.clientWidth === width || frame().refused) return;
  width = document.documentElement.clientWidth;
  draw();
});
addEventListener("hashchange", () => {
  stop();
  restore();
  build();
  refresh();
});
document.documentElement.dataset.ready = performance.now().toFixed(1);
})();
