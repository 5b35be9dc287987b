// The panel of filters. Its state is in the address after the #, so that loading the page again keeps it.

import { make, number } from "./elements.js";
import { BINS, NOBODY, noFilter, RANGES } from "./faces.js";

const SHOWS = [
  ["all", "all"], ["undecided", "undecided"], ["rejected", "rejected"], ["accepted", "accepted"], ["moved", "moved"],
  ["regrouped", "regrouped"],
];
const MOST_OPTIONS = 60;

export class Filters {
  /** changed: called after every change of `filter`. */
  constructor(element, faces, changed) {
    this.element = element;
    this.faces = faces;
    this.changed = changed;
    this.filter = readHash(faces);
    this.build();
  }

  /** keep: the face in focus is to stay in focus. */
  set(changes, keep = true) {
    Object.assign(this.filter, changes);
    const plain = Object.fromEntries(
      Object.entries(this.filter).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(noFilter()[name])),
    );
    const text = Object.keys(plain).length ? `#${encodeURIComponent(JSON.stringify(plain))}` : "#";
    history.replaceState(null, "", location.pathname + text);
    this.sync();
    this.changed(keep);
  }

  clear() {
    const { sort, turned } = this.filter;
    this.set({ ...noFilter(), sort, turned });
  }

  get active() {
    const { sort, turned } = this.filter;
    return JSON.stringify({ ...this.filter }) !== JSON.stringify({ ...noFilter(), sort, turned });
  }

  build() {
    const { faces } = this;
    this.shows = new Map(
      SHOWS.map(([name, label]) => [
        name,
        make("button", { type: "button", textContent: label, onclick: () => this.set({ show: name }) }),
      ]),
    );
    this.bins = new Map(
      faces.names.map((name) => [
        name,
        make(
          "button",
          { type: "button", onclick: () => this.set({ bins: toggled(this.filter.bins, name) }) },
          make("span", { className: "glyph", textContent: BINS[name].glyph }),
          make("span", { textContent: BINS[name].name }),
          make("span", { className: "number" }),
        ),
      ]),
    );
    this.duplicates = make("input", { type: "checkbox", onchange: () => this.set({ duplicates: !this.duplicates.checked }) });
    this.selection = make(
      "select",
      { ariaLabel: "Selection", onchange: () => this.set({ selection: this.selection.value }) },
      make("option", { value: "", textContent: "all faces" }),
      ...faces.head.selections.map((name) => make("option", { value: name, textContent: name })),
    );
    this.video = new Picker("video", faces.head.videos.map((one) => one.name), () => countsOf(faces.columns.video, faces.head.videos.length), (value) => this.set({ video: value }));
    this.person = new Picker("person", faces.persons, () => faces.sizes(), (value) => this.set({ person: value }));
    this.track = make("div", { className: "set" });
    this.ranges = new Map(RANGES.map((range) => [range.name, this.range(range)]));
    const close = () => document.body.classList.add("no-filters");
    this.all = make("button", { type: "button", className: "wide", textContent: "Clear all filters", onclick: () => this.clear() });
    const section = (title, ...children) => make("section", {}, make("h2", { textContent: title }), ...children);
    this.element.replaceChildren(
      section("Show", make("div", { className: "chips" }, ...this.shows.values())),
      section("Pose bin", make("div", { className: "bins" }, ...this.bins.values())),
      section("Faces", make("label", { className: "check" }, this.duplicates, "without duplicates"), ...(faces.head.selections.length ? [this.selection] : [])),
      section("Video", this.video.element, this.track),
      section("Person", this.person.element),
      section("From … to", ...[...this.ranges.values()].map((one) => one.element)),
      this.all,
      make("button", { type: "button", className: "close", textContent: "Close", onclick: close }),
    );
    this.sync();
  }

  range({ name, label }) {
    const column = this.faces.columns[name];
    let low = Infinity;
    let high = -Infinity;
    for (const value of column) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const input = (end, placeholder) =>
      make("input", { type: "number", step: "any", placeholder, ariaLabel: `${label}, ${end}`, onchange: () => changed() });
    const digits = high <= 1 ? 2 : 0;
    const least = input("from", low < Infinity ? low.toFixed(digits) : "");
    const most = input("to", high > -Infinity ? high.toFixed(digits) : "");
    const changed = () => {
      const ranges = { ...this.filter.ranges };
      const value = [least, most].map((one) => (one.value === "" ? null : Number(one.value)));
      if (value[0] === null && value[1] === null) delete ranges[name];
      else ranges[name] = value;
      this.set({ ranges });
    };
    return { element: make("div", { className: "range" }, make("span", { textContent: label }), least, most), least, most };
  }

  /** Show the state of `filter`. */
  sync() {
    const { filter, faces } = this;
    this.shows.forEach((button, name) => (button.ariaPressed = String(filter.show === name)));
    this.bins.forEach((button, name) => (button.ariaPressed = String(filter.bins.includes(name))));
    this.duplicates.checked = !filter.duplicates;
    this.selection.value = filter.selection;
    this.video.sync(filter.video);
    this.person.sync(filter.person);
    this.track.replaceChildren(
      ...(filter.track === null
        ? []
        : [
            make("span", { textContent: `track ${faces.head.tracks[filter.track].split("-").pop()}`, title: faces.head.tracks[filter.track] }),
            make("button", { type: "button", textContent: "✕", ariaLabel: "All tracks", onclick: () => this.set({ track: null }) }),
          ]),
    );
    this.ranges.forEach(({ least, most }, name) => {
      const [low, high] = filter.ranges[name] || [null, null];
      least.value = low ?? "";
      most.value = high ?? "";
    });
    this.all.hidden = !this.active;
  }

  /** counts: of faces by bin. */
  count(counts) {
    this.bins.forEach((button, name) => {
      const count = counts[this.faces.names.indexOf(name)];
      button.lastElementChild.textContent = number(count);
      button.hidden = !count && !this.filter.bins.includes(name);
    });
  }
}

/** A list to pick one of many names from, by typing a part of it. */
class Picker {
  constructor(what, names, counts, picked) {
    this.names = names;
    this.counts = counts;
    this.picked = picked;
    this.input = make("input", {
      type: "search", placeholder: `find a ${what}`, ariaLabel: `Find a ${what}`, oninput: () => this.list(), onfocus: () => this.list(),
    });
    this.options = make("div", { className: "options" });
    this.label = make("span");
    this.one = make(
      "div",
      { className: "set", hidden: true },
      this.label,
      make("button", { type: "button", textContent: "✕", ariaLabel: `Every ${what}`, onclick: () => picked(null) }),
    );
    this.element = make("div", { className: "picker" }, this.one, this.input, this.options);
    this.element.addEventListener("focusout", (event) => {
      if (!this.element.contains(event.relatedTarget)) this.options.replaceChildren();
    });
  }

  list() {
    const text = this.input.value.trim().toLowerCase();
    const counts = this.counts();
    const found = [];
    this.names.forEach((name, i) => {
      if (counts[i] && name.toLowerCase().includes(text)) found.push(i);
    });
    found.sort((a, b) => counts[b] - counts[a]);
    const options = found.slice(0, MOST_OPTIONS).map((i) =>
      make(
        "button",
        { type: "button", onclick: () => this.picked(i) },
        make("span", { textContent: this.names[i], title: this.names[i] }),
        make("span", { className: "number", textContent: number(counts[i]) }),
      ),
    );
    if (found.length > MOST_OPTIONS) options.push(make("div", { className: "small", textContent: `and ${number(found.length - MOST_OPTIONS)} more` }));
    this.options.replaceChildren(...options);
  }

  sync(value) {
    this.input.value = "";
    this.options.replaceChildren();
    this.one.hidden = value === null;
    this.input.hidden = value !== null;
    this.label.textContent = this.label.title = value === null ? "" : value === NOBODY ? "unknown" : this.names[value];
  }
}

function countsOf(column, length) {
  const counts = new Uint32Array(length);
  for (const value of column) counts[value]++;
  return counts;
}

function toggled(list, value) {
  return list.includes(value) ? list.filter((one) => one !== value) : [...list, value];
}

function readHash(faces) {
  const filter = noFilter();
  try {
    const found = JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}");
    for (const name of Object.keys(filter)) {
      if (name in found && (filter[name] === null || typeof found[name] === typeof filter[name])) filter[name] = found[name];
    }
  } catch {
    return noFilter(); // an address that was changed by hand
  }
  filter.bins = Array.isArray(filter.bins) ? filter.bins.filter((name) => faces.names.includes(name)) : [];
  if (!faces.head.selections.includes(filter.selection)) filter.selection = "";
  for (const [name, count] of [["video", faces.head.videos.length], ["track", faces.head.tracks.length], ["person", faces.persons.length]]) {
    if (!(Number.isInteger(filter[name]) && filter[name] < count)) filter[name] = null;
  }
  const known = Object.entries(filter.ranges || {}).filter(([name, ends]) => RANGES.some((one) => one.name === name) && Array.isArray(ends));
  filter.ranges = Object.fromEntries(known);
  return filter;
}
