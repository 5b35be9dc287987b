"use strict";

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const data = read("data");
const pictures = read("pictures");

/** A new element. Strings among the children become text nodes: no name in them is ever markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const whole = (value) => value.toLocaleString("en-US");
const digits = (value, count = 0) => (value === null || value === undefined ? "–" : value.toFixed(count));
const degrees = (value) => (value === null || value === undefined ? "–" : `${signed(Math.round(value))}°`);
const signed = (value) => (value < 0 ? `−${-value}` : `${value || 0}`);
const shortName = (uri) => uri.replace(/\/+$/, "").split("/").pop() || uri;

/** The picture of a face, or, where it has none, a sign that shows where its nose points. */
function picture(number, alt = "") {
  if (pictures[number]) {
    return element("img", { src: `data:image/jpeg;base64,${pictures[number]}`, alt, loading: "lazy", decoding: "async" });
  }
  const face = data.faces[number];
  const sign = element("span", { class: "sign", role: alt ? "img" : null, "aria-label": alt || null });
  if (face && face.azimuth !== null && face.elevation !== null) {
    const [azimuth, elevation] = [face.azimuth, face.elevation].map((angle) => (angle * Math.PI) / 180);
    sign.style.setProperty("--x", (-Math.sin(azimuth) * Math.cos(elevation)).toFixed(3));
    sign.style.setProperty("--y", (-Math.sin(elevation)).toFixed(3));
  }
  return sign;
}

/** What a screen reader says of a face, and the pointer shows. */
function summary(number) {
  const face = data.faces[number];
  if (!face) return "a face that is no longer in the run";
  return `azimuth ${degrees(face.azimuth)}, elevation ${degrees(face.elevation)}, iqa ${digits(face.iqa)}, ` +
    shortName(data.sources[face.source]);
}

/** Call `draw` once, when an element is about to be seen. */
const drawings = new WeakMap();
const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      drawings.get(entry.target)();
    }
  },
  { rootMargin: "500px" },
);
function whenSeen(target, draw) {
  drawings.set(target, draw);
  watcher.observe(target);
}
