"use strict";
// The answers of /view: {"shot", "left_s", "real", "picture": a data URL, "size": [width, height] of the frame in
// pixels, "smallest_px", "smallest_m", "lens", "report": a line of `emotiny run --output jsonl`}; without a frame
// {"waiting": why, "left_s"}.
const INTERVAL_MS = 100, RETRY_MS = 1500, LIMIT_MS = 8000;
const COLOURS = ["#50dc50", "#ffc850", "#5abeff", "#ff96c8", "#50dcdc"];
const REASONS = {
  tick: "Waiting for the camera.",
  gone: "The camera is gone.",
  off: "Reading is switched off, so no picture is looked at.",
};
const at = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)} %`;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const viewer = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function element(name, text = "", parent = null) {
  const made = document.createElement(name);
  made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function place(node, left, top, width, height) {
  Object.assign(node.style, { left: `${left}px`, top: `${top}px` });
  if (width !== undefined) Object.assign(node.style, { width: `${width}px`, height: `${height}px` });
}

function overlap([x, y, width, height], [left, top, wide, high]) {
  const across = Math.min(x + width, left + wide) - Math.max(x, left);
  return Math.max(0, across) * Math.max(0, Math.min(y + height, top + high) - Math.max(y, top));
}

function lightWord(light) {
  return light < 0.08 ? "black" : light < 0.2 ? "dark" : light > 0.85 ? "glaring" : "good";
}

function drawBoxes(view) {
  const stage = at("stage"), wide = stage.clientWidth, high = stage.clientHeight, scale = wide / view.size[0];
  const boxes = at("boxes");
  const taken = view.report.faces.map((face) => face.box.map((each) => each * scale));
  boxes.replaceChildren();
  for (const face of view.report.faces) {
    const colour = COLOURS[face.id % COLOURS.length];
    const [left, top, width, height] = face.box.map((each) => each * scale);
    const box = element("div", "", boxes);
    box.style.borderColor = colour;
    place(box, left, top, width, height);
    const label = element("p", "", boxes);
    label.style.background = colour;
    element("b", `#${face.id} ${face.emotion.label} ${percent(face.emotion.confidence)}`, label);
    element("span", "apparent gender", label);
    element("span", `${face.gender.label} ${percent(face.gender.confidence)}`, label);
    const labelWide = label.offsetWidth, labelHigh = label.offsetHeight;
    const corners = [[left, top - labelHigh - 3], [left, top + height + 3], [left + width + 3, top], [left - labelWide - 3, top]];
    const spots = corners.map(([x, y]) => [
      Math.max(0, Math.min(x, wide - labelWide)), Math.max(0, Math.min(y, high - labelHigh)), labelWide, labelHigh]);
    const hidden = (spot) => taken.reduce((sum, each) => sum + overlap(spot, each), 0);
    const spot = spots.reduce((best, each) => (hidden(each) < hidden(best) ? each : best));
    taken.push(spot);
    place(label, spot[0], spot[1]);
  }
  const ruler = at("ruler"), side = `${view.smallest_px * scale}px`;
  Object.assign(ruler.style, { width: side, height: side });
  ruler.hidden = false;
}

function listFaces(faces) {
  const rows = at("faces");
  rows.replaceChildren();
  for (const face of faces) {
    const row = element("tr", "", rows), id = element("td", "", row);
    element("i", "", id).style.background = COLOURS[face.id % COLOURS.length];
    id.append(face.id);
    for (const reading of [face.emotion, face.gender]) {
      element("small", ` ${percent(reading.confidence)}`, element("td", reading.label, row));
    }
    element("td", face.confidence === null ? "-" : percent(face.confidence), row);
    element("td", Math.max(face.box[2], face.box[3]), row);
  }
}

async function draw(view) {
  const picture = new Image();
  picture.src = view.picture;
  await picture.decode();
  const canvas = at("picture");
  Object.assign(canvas, { width: picture.naturalWidth, height: picture.naturalHeight });
  canvas.getContext("2d").drawImage(picture, 0, 0);
  at("stage").style.maxWidth = `${85 * picture.naturalWidth / picture.naturalHeight}vh`;
  at("stage").className = view.real ? "" : "lines";
  at("mode").className = view.real ? "real" : "";
  at("mode").textContent = view.real ? "real picture" : "lines only";
  drawBoxes(view);
  listFaces(view.report.faces);
  at("fps").textContent = view.report.fps.toFixed(1);
  at("light").textContent = `${percent(view.report.light)} ${lightWord(view.report.light)}`;
  at("meter").value = view.report.light;
  at("count").textContent = view.report.faces.length;
  at("smallest").textContent = `${view.smallest_px} px`;
  element("small", ` ${view.smallest_m} m`, at("smallest"));
  at("rule").textContent = `Faces smaller than the dashed square are not read. With a lens of ${view.lens}° an ` +
    `adult's face is that small ${view.smallest_m} m away.`;
}

async function look() {
  const answer = await fetch(`/view${location.search}`, {
    headers: { "X-Emotiny-Viewer": viewer }, cache: "no-store", signal: AbortSignal.timeout(LIMIT_MS),
  });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  const view = await answer.json();
  at("left").textContent = `ends in ${Math.floor(view.left_s / 60)}:${String(view.left_s % 60).padStart(2, "0")}`;
  if (view.picture) await draw(view);
  at("message").textContent = view.picture ? "" : REASONS[view.waiting] || "";
}

async function run() {
  for (;;) {
    const begun = performance.now();
    try {
      await look();
      await pause(Math.max(0, INTERVAL_MS - (performance.now() - begun)));
    } catch (error) {
      const lost = error instanceof TypeError || error.name === "TimeoutError";
      at("message").textContent = lost ? "No answer: the page has ended, or the connection is lost." : error.message;
      await pause(RETRY_MS);
    }
  }
}

run();
