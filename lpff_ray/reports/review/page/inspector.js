// The details of the face in focus.

import { filled, make } from "./elements.js";
import { BINS, NOBODY } from "./faces.js";
import { fetchedJson } from "./server.js";

export class Inspector {
  /** only: called with a filter that shows what is like the face. */
  constructor(element, faces, pictures, only) {
    Object.assign(this, { element, faces, pictures, only });
    this.row = -1;
  }

  /** Show a row; what only the server knows follows a little later, for who moves on quickly needs none of it. */
  show(row) {
    this.row = row;
    if (!this.element.offsetParent && getComputedStyle(this.element).position !== "fixed") return;
    if (row === undefined) return this.element.replaceChildren();
    const { faces } = this;
    const c = faces.columns;
    const url = this.pictures.of(row);
    const picture = url ? make("img", { src: url, alt: "" }) : make("span", { textContent: url === undefined ? "" : "no picture" });
    const measured = BINS[faces.names[c.bin[row]]];
    const bin = faces.binOf(row);
    const person = faces.person[row];
    const facts = [
      ["bin", `${bin.glyph} ${bin.name}`],
      bin === measured ? null : ["measured", `${measured?.glyph ?? ""} ${measured?.name ?? "unknown"}`],
      ["decision", ["none", "accepted", "rejected"][faces.decision[row]]],
      ["yaw, pitch", `${fixed(c.yaw[row])}°, ${fixed(c.pitch[row])}°`],
      ["azimuth", `${fixed(c.azimuth[row])}°`],
      ["elevation", `${fixed(c.elevation[row])}°`],
      ["disagreement", `${fixed(c.pose_spread[row], 1)}°`],
      ["quality", fixed(c.iqa[row])],
      ["sharpness", fixed(c.sharpness[row], 2)],
      ["face", `${fixed(c.face_px[row])} px`],
      ["detection", fixed(c.det_score[row], 2)],
      ["likeness", fixed(c.likeness[row], 2)],
      ["time", `${fixed(c.seconds[row], 2)} s`],
      ["frame", c.frame[row]],
      ["person", faces.personName(person)],
      c.kept[row] ? null : ["duplicate", "of another face"],
    ].filter(Boolean);
    const button = (text, title, filter) => make("button", { type: "button", textContent: text, title, onclick: () => this.only(filter) });
    this.more = make("div");
    filled(
      this.element,
      make("div", { className: "large" }, picture),
      make("dl", {}, ...facts.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })])),
      make(
        "div",
        { className: "links" },
        button("this video", "Show this video alone (v)", { video: c.video[row] }),
        button("this track", "Show this track alone (t)", { track: c.track[row] }),
        person === NOBODY ? null : button("this person", "Show this person alone (p)", { person }),
      ),
      this.more,
      make("button", { type: "button", className: "close", textContent: "Close", onclick: () => document.body.classList.add("no-inspector") }),
    );
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(row), 120);
  }

  async fetch(row) {
    let found;
    try {
      found = await fetchedJson(`/api/face?row=${row}`);
    } catch {
      return; // what is shown stays; an action tells what is wrong
    }
    if (row !== this.row) return;
    const votes = (found.pose_votes || []).map((vote) =>
      make(
        "tr",
        {},
        make("td", { textContent: vote.estimator }),
        ...["yaw", "pitch", "roll"].map((name) => make("td", { className: "number", textContent: fixed(vote[name] ?? NaN) })),
      ),
    );
    const head = make("tr", {}, make("th", { textContent: "votes" }), ...["yaw", "pitch", "roll"].map((name) => make("th", { className: "number", textContent: name })));
    const { reviewer, time, note } = found.said;
    const said = reviewer ? `last decided by ${reviewer}, ${time.slice(0, 16).replace("T", " ")} UTC` : "";
    this.more.replaceChildren(
      make("h2", { textContent: "Pose" }),
      make("table", {}, head, ...votes),
      make("p", { className: "small", textContent: `all agree: ${found.pose_bin_strict ?? "–"}; fine: ${found.pose_bin_fine ?? "–"}` }),
      make("h2", { textContent: "Source" }),
      make("p", { className: "small", textContent: found.uri ?? "" }),
      make("p", { className: "small", textContent: this.faces.id(row) }),
      ...(said || note ? [make("h2", { textContent: "Review" }), make("p", { className: "small", textContent: [said, note].filter(Boolean).join("; ") })] : []),
    );
  }
}

function fixed(value, digits = 0) {
  return Number.isNaN(value) || value === null ? "–" : value.toFixed(digits);
}
