"use strict";
function make(tag, attributes = {}, text) {
  const svg = ["svg", "g", "path", "line", "rect", "circle", "text", "clipPath", "polygon"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// ---- numbers as text ----------------------------------------------------------------------------

const number = (v) => (v === "inf" ? Infinity : v === "-inf" ? -Infinity : v);
const known = (v) => typeof v === "number" && Number.isFinite(v);
const minus = (text) => text.replace("-", "\u2212");

function short(v, digits = 6) {
  if (v === null || v === undefined) return "–";
  if (v === "inf") return "∞";
  if (v === "-inf") return "\u2212∞";
  const text = String(Number(v.toPrecision(digits)));
  const [head, power] = text.split("e");
  return minus(power === undefined ? head : `${head}e${power.replace("+", "")}`);
}

const raised = (k) => "10" + [...String(k)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");

// ---- axes ----

function steps(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) ticks.push(k * step);
  return ticks.map((v) => ({ at: v, text: short(v, 6) }));
}

function decades(low, high, most) {
  const step = Math.max(1, Math.ceil((high - low) / most));
  const ticks = [];
  for (let k = Math.ceil(low - 1e-9); k <= high + 1e-9; k += step) ticks.push({ at: k, text: raised(k) });
  if (ticks.length > 1) return ticks;
  return steps(10 ** low, 10 ** high, most).map((t) => ({ at: Math.log10(t.at), text: t.text }));
}

function refit(svg, ratio, most) {
  const width = Math.max(svg.parentNode.clientWidth, 200);
  const height = Math.round(Math.min(width * ratio, most));
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height}px`;
  return { svg, width, height, left: 58, right: width - 12, top: 10, bottom: height - 40 };
}

function rim(box, spec, x, y) {
  const { svg, left, right, top, bottom } = box;
  for (const tick of y.ticks) {
    const at = bottom - tick.at * (bottom - top);
    if (at < top - 1 || at > bottom + 1) continue;
    svg.append(make("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }));
    svg.append(make("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, tick.text));
  }
  for (const tick of x.ticks) {
    const at = left + tick.at * (right - left);
    if (at < left - 1 || at > right + 1) continue;
    svg.append(make("line", { class: "grid", x1: at, x2: at, y1: bottom, y2: bottom + 4 }));
    const anchor = tick.text.length > 4 && tick.at > 0.95 ? "end" : "middle";
    svg.append(make("text", { x: anchor === "end" ? right + 6 : at, y: bottom + 17, "text-anchor": anchor }, tick.text));
  }
  svg.append(make("text", { class: "title", x: (left + right) / 2, y: bottom + 34, "text-anchor": "middle" }, spec.x.label));
  svg.append(make("text", { class: "title", x: 13, y: (top + bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 13 ${(top + bottom) / 2})` }, spec.y.label));
}

function say(figure, tip, lines, at, top) {
  tip.replaceChildren(...lines.map((line) => make("div", {}, line)));
  tip.hidden = false;
  tip.style.left = "0";
  const svg = figure.querySelector("svg");
  const room = svg.clientWidth - tip.offsetWidth;
  tip.style.left = `${Math.max(0, at + 14 > room ? Math.min(room, at - 14 - tip.offsetWidth) : at + 14)}px`;
  const [over, whole] = [svg, figure].map((node) => node.getBoundingClientRect().top);
  tip.style.top = `${over - whole + top + 6}px`;
}
