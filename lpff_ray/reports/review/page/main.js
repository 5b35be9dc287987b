// The review page: what the parts do together, the keys, and the actions.

import { counted, filled, make, number } from "./elements.js";
import { ACCEPTED, BINS, Faces, NO_BIN, REJECTED, SORTS } from "./faces.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Inspector } from "./inspector.js";
import { PictureCache } from "./pictures.js";
import { fetched, fetchedJson, ServerError } from "./server.js";

const POLL_MS = 10_000; // for what other reviewers decide
const by = (id) => document.getElementById(id);

class Review {
  constructor(faces) {
    this.faces = faces;
    this.queue = Promise.resolve();
    this.pictures = new PictureCache(faces.head.pictures, () => this.grid.refresh());
    this.grid = new Grid(by("grid"), faces, this.pictures, {
      drawn: () => this.drawn(),
      focused: () => this.inspector.show(this.focused),
      selected: () => this.told(),
      opened: () => this.toggleInspector(true),
    });
    this.filters = new Filters(by("filters"), faces, (keep) => this.filter(keep));
    this.inspector = new Inspector(by("inspector"), faces, this.pictures, (filter) => this.only(filter));
    by("run").textContent = faces.head.run.replace(/\/+$/, "").split("/").pop();
    by("run").title = `${faces.head.run}, reviewed by ${faces.head.reviewer}`;
    document.title = `Review of ${by("run").textContent}`;
    this.bar();
    this.actions();
    this.help();
    document.addEventListener("keydown", (event) => this.key(event));
    this.filter(false);
    setInterval(() => document.hidden || this.poll(), POLL_MS);
    by("grid").focus();
  }

  get focused() {
    return this.grid.rows[this.grid.focus];
  }

  // What is shown

  bar() {
    const { filter } = this.filters;
    by("sort").append(...SORTS.map(({ name, label }) => make("option", { value: name, textContent: label })));
    by("sort").value = filter.sort;
    by("sort").onchange = () => {
      this.filters.set({ sort: by("sort").value, turned: false }, false);
      by("grid").focus();
    };
    by("direction").onclick = () => this.filters.set({ turned: !this.filters.filter.turned }, false);
    const size = Number(localStorage.getItem("review-size")) || 128;
    by("size").value = size;
    this.grid.size = size;
    by("size").oninput = () => this.resize(Number(by("size").value));
    by("undo").onclick = () => this.undo();
    by("help-open").onclick = () => by("help").showModal();
    by("filters-toggle").onclick = () => this.toggleFilters();
    by("inspector-toggle").onclick = () => this.toggleInspector();
    for (const [width, name] of [[1100, "no-inspector"], [640, "no-filters"]]) {
      const narrow = matchMedia(`(max-width: ${width}px)`);
      const fit = () => document.body.classList.toggle(name, narrow.matches);
      narrow.addEventListener("change", fit);
      fit();
    }
  }

  toggleFilters() {
    document.body.classList.toggle("no-filters");
  }

  toggleInspector(open = document.body.classList.contains("no-inspector")) {
    document.body.classList.toggle("no-inspector", !open);
    this.inspector.show(this.focused);
  }

  resize(size) {
    this.grid.size = Math.max(72, Math.min(260, size));
    by("size").value = this.grid.size;
    localStorage.setItem("review-size", this.grid.size);
    this.grid.relayout();
  }

  /** Show what the filters let pass. keep: stay at the face in focus, if it is still there. */
  async filter(keep = true) {
    const { filter } = this.filters;
    const row = keep ? this.focused : undefined;
    if (filter.selection && !this.faces.selections.has(filter.selection)) {
      try {
        const { columns } = await fetched(`/api/selection?name=${encodeURIComponent(filter.selection)}`);
        this.faces.selections.set(filter.selection, columns.rows);
      } catch (error) {
        return this.failed(error);
      }
    }
    this.filters.count(this.faces.apply(filter));
    by("sort").value = filter.sort;
    const sort = SORTS.find((one) => one.name === filter.sort);
    by("direction").textContent = Boolean(sort.down) !== filter.turned ? "↓" : "↑";
    by("nothing").hidden = this.grid.rows.length > 0;
    by("nothing").textContent = "No face passes these filters.";
    this.grid.selected.clear();
    this.grid.element.scrollTop = 0;
    this.grid.focus = this.grid.anchor = 0;
    this.grid.relayout(row);
    this.inspector.show(this.focused);
    this.told();
  }

  only(filter) {
    this.filters.set({ ...filter });
  }

  /** Counts, undo, and what the buttons would act on. */
  told() {
    const { faces, grid } = this;
    const shown = grid.rows.length;
    const decided = faces.decided(grid.rows);
    const of = shown === faces.count ? counted(shown, "face") : `${number(shown)} of ${counted(faces.count, "face")}`;
    by("count").textContent = `${of}, ${number(decided)} decided`;
    const share = shown ? decided / shown : 0;
    by("progress").firstElementChild.style.width = `${100 * share}%`;
    by("progress").title = by("progress").ariaLabel = `${number(decided)} of ${number(shown)} shown are decided; ${number(faces.decided())} in all`;
    by("undo").disabled = !faces.undo;
    filled(by("undo"), faces.undo ? `Undo: ${faces.undo} ` : "Undo ", make("kbd", { textContent: "u" }));
    by("undo").title = `Take back your last action (u); ${counted(faces.actions, "action")} by ${faces.reviewers.join(", ") || "nobody"}`;
    by("target").textContent = grid.selected.size ? `${counted(grid.selected.size, "face")} selected` : "face in focus";
  }

  drawn() {
    if (this.inspector.row !== this.focused) this.inspector.show(this.focused);
    else if (this.awaited !== this.focused && this.pictures.of(this.focused) !== undefined) this.inspector.show(this.focused);
    this.awaited = this.pictures.of(this.focused) === undefined ? undefined : this.focused;
  }

  toast(text) {
    by("toast").textContent = text;
    by("toast").classList.add("shown");
    clearTimeout(this.toasting);
    this.toasting = setTimeout(() => by("toast").classList.remove("shown"), 2200);
  }

  failed(error) {
    if (!(error instanceof ServerError)) throw error;
    if (!error.lost) return this.toast(error.message);
    by("problem").textContent = error.message;
    by("problem").hidden = false;
  }

  // What is done

  /** Have the server do something, after all that was asked of it before; a change is shown once it is kept. */
  act(path, body, told) {
    const acted = this.queue.then(async () => {
      this.faces.changed(await fetched(path, { ...body, version: this.faces.version }));
      by("problem").hidden = true;
      this.toast(told ?? this.faces.undo ?? "done");
      this.recounted();
    });
    this.queue = acted.catch((error) => this.failed(error));
    return this.queue;
  }

  recounted() {
    this.filters.count(this.counts());
    this.grid.refresh();
    this.told();
    this.inspector.show(this.focused);
  }

  /** How many faces are in each bin now, in the order that is shown: it stays as it is until a filter changes. */
  counts() {
    const { order } = this.faces;
    const counts = this.faces.apply({ ...this.filters.filter, sort: "table", turned: false });
    this.faces.order = order;
    return counts;
  }

  /** Do something to the selected faces, or to the one in focus, and go on to the next. */
  aimed(act) {
    const rows = this.grid.target();
    if (!rows.length) return;
    const one = !this.grid.selected.size;
    act(rows);
    if (one) this.grid.go(this.grid.focus + 1);
    else this.grid.unselect();
  }

  decide(number, decision) {
    this.aimed((rows) => {
      const already = rows.every((row) => this.faces.decision[row] === number);
      this.act("/api/decide", { rows, decision: already ? null : decision });
    });
  }

  move(bin) {
    this.aimed((rows) => {
      const to = this.faces.names.indexOf(bin);
      const already = bin !== null && rows.every((row) => this.faces.moved[row] === to);
      this.act("/api/move", { rows, bin: already ? null : bin });
    });
  }

  merge() {
    const rows = this.grid.target();
    if (rows.length) this.act("/api/merge", { rows }).then(() => this.grid.unselect());
  }

  split(tracks) {
    let rows = this.grid.target();
    if (tracks) {
      const { track } = this.faces.columns;
      const wanted = new Set(rows.map((row) => track[row]));
      rows = [...this.faces.everyone].filter((row) => wanted.has(track[row]));
    }
    if (rows.length) this.act("/api/split", { rows }).then(() => this.grid.unselect());
  }

  undo() {
    const what = this.faces.undo;
    this.act("/api/undo", {}, what ? `Undone: ${what}` : undefined);
  }

  redo() {
    this.act("/api/redo", {}, "Done again");
  }

  async poll() {
    await this.queue;
    try {
      const before = this.faces.version;
      const message = await fetched(`/api/changes?version=${before}`);
      if (message.head.version === this.faces.version) return;
      this.faces.changed(message);
      this.recounted();
      this.toast(`Changed by ${this.faces.reviewers.filter((name) => name !== this.faces.head.reviewer).join(", ")}`);
    } catch (error) {
      this.failed(error);
    }
  }

  /** EFHQ's proposal: the sign of most votes, for the faces that have a side and no sign. */
  async suggest() {
    const rows = this.grid.selected.size ? [...this.grid.selected] : [...this.grid.rows];
    let found;
    try {
      found = await fetchedJson("/api/suggest", { rows });
    } catch (error) {
      return this.failed(error);
    }
    const dialog = by("suggestions");
    const { suggestions, tied } = found;
    const faces = suggestions.reduce((sum, one) => sum + one.rows.length, 0);
    const label = (bin) => `${BINS[bin].glyph} ${BINS[bin].name}`;
    const lines = suggestions.slice(0, 200).map((one) =>
      make(
        "tr",
        {},
        make("td", { textContent: `${one.video}, track ${one.track.split("-").pop()}` }),
        make("td", { className: "number", textContent: one.rows.length }),
        make("td", { textContent: `${label(one.bin)}  →  ${label(one.suggested)}` }),
        make("td", { className: "number", textContent: `${one.votes} of ${one.of}` }),
      ),
    );
    const head = make("tr", {}, ...["track", "faces", "bin", "votes"].map((name) => make("th", { textContent: name })));
    const close = () => dialog.close();
    const apply = () => {
      close();
      this.act("/api/move_all", { moves: suggestions.map((one) => ({ rows: one.rows, bin: one.suggested })) });
      this.grid.unselect();
    };
    const among = this.grid.selected.size ? "selected" : "shown";
    filled(
      dialog,
      make("h2", { textContent: faces ? `A sign for ${counted(faces, "face")}` : "Nothing to suggest" }),
      make("p", {
        textContent: faces
          ? "Their estimators agree on the side, not on the sign. Most votes of each track say:"
          : `None of the ${counted(rows.length, "face")} ${among} is in a bin without a sign (horizontal, vertical).`,
      }),
      faces ? make("table", {}, head, ...lines) : null,
      suggestions.length > lines.length ? make("p", { className: "small", textContent: `and ${suggestions.length - lines.length} more tracks` }) : null,
      tied ? make("p", { className: "small", textContent: `${counted(tied, "face")} with as many votes for both signs stay as they are.` }) : null,
      make(
        "div",
        { className: "buttons" },
        make("button", { type: "button", textContent: faces ? "Leave them" : "Close", onclick: close }),
        faces ? make("button", { type: "button", className: "primary", textContent: "Set all (Enter)", onclick: apply }) : null,
      ),
    );
    dialog.showModal();
    dialog.querySelector(".buttons").lastElementChild.focus();
  }

  // Keys and buttons

  actions() {
    const button = (text, key, title, act) =>
      make("button", { type: "button", title, onclick: () => (act(), by("grid").focus()) }, text, key ? make("kbd", { textContent: key }) : null);
    const gap = () => make("span", { className: "gap" });
    by("actions").replaceChildren(
      make("span", { id: "target" }),
      button("✕ Reject", "x", "Reject; again: take it back", () => this.decide(REJECTED, "reject")),
      button("✓ Accept", "a", "Accept; again: take it back", () => this.decide(ACCEPTED, "accept")),
      gap(),
      ...Object.entries(BINS)
        .filter(([, bin]) => bin.key)
        .map(([name, bin]) => button(`${bin.glyph} ${bin.name}`, bin.key, `Move to ${name}; again: back`, () => this.move(name))),
      button("measured", "0", "Move back to the measured bin", () => this.move(null)),
      button("Suggest…", "g", "Suggest bins where only the sign is missing", () => this.suggest()),
      gap(),
      button("Merge", "m", "The people of the selected faces are one", () => this.merge()),
      button("Split", "s", "The selected faces are another person; Shift: their whole tracks", () => this.split(false)),
    );
  }

  help() {
    const groups = {
      Move: [["← → ↑ ↓", "to the next face"], ["Page Up, Page Down", "by a screen"], ["Home, End", "to the first, the last"], ["+ −", "larger, smaller pictures"]],
      Select: [
        ["Space", "select, or not"], ["Shift with a move", "a stretch"], ["Ctrl A", "all that are shown"], ["Esc", "none; again: clear the filters"],
        ["click, Ctrl click", "one; one more"], ["Shift click, drag", "a stretch"],
      ],
      Decide: [["x", "reject"], ["a", "accept"], ["1 … 6", "put into a pose bin"], ["0", "back into the measured bin"], ["g", "suggest a sign, set all"]],
      People: [["m", "merge those of the selected faces"], ["s", "split the selected faces off"], ["Shift S", "split their whole tracks off"]],
      "Take back": [["u", "undo, as often as you like"], ["Shift U", "do it again"]],
      Look: [
        ["v", "this video alone"], ["t", "this track alone"], ["p", "this person alone"], ["r", "filter again"], ["o", "turn the order around"],
        ["d", "details"], ["b", "filters"], ["?", "this help"],
      ],
    };
    const dialog = by("help");
    dialog.replaceChildren(
      make("h2", { textContent: "Keys" }),
      make("p", { className: "small", textContent: "They act on the selected faces; if none is selected, on the one in focus, and then go on to the next. Every decision is on the disk when it is shown." }),
      make(
        "div",
        { className: "keys" },
        ...Object.entries(groups).map(([title, keys]) =>
          make("section", {}, make("h3", { textContent: title }), ...keys.map(([key, text]) => make("div", {}, make("span", { textContent: text }), make("span", {}, make("kbd", { textContent: key }))))),
        ),
      ),
      make("div", { className: "buttons" }, make("button", { type: "button", className: "primary", textContent: "Close", onclick: () => dialog.close() })),
    );
    for (const one of document.querySelectorAll("dialog")) {
      one.addEventListener("click", (event) => event.target === one && one.close());
      one.addEventListener("close", () => by("grid").focus());
    }
  }

  key(event) {
    if (document.querySelector("dialog[open]")) {
      if (event.key === "?") document.querySelector("dialog[open]").close();
      return;
    }
    const typing = event.target.matches("input:not([type=checkbox], [type=range]), select, textarea");
    if (typing) {
      if (event.key === "Escape") by("grid").focus();
      return;
    }
    const ctrl = event.ctrlKey || event.metaKey;
    if (ctrl && event.key.toLowerCase() === "a") {
      this.grid.select(0, this.grid.rows.length - 1);
      return event.preventDefault();
    }
    if (ctrl || event.altKey) return;
    const { grid } = this;
    const page = Math.max(1, Math.floor(grid.element.clientHeight / grid.pitch)) * grid.columns;
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid.columns, ArrowDown: grid.columns, PageUp: -page, PageDown: page,
      Home: -Infinity, End: Infinity,
    };
    if (event.key in steps) {
      const to = grid.focus + steps[event.key];
      const inside = Math.abs(steps[event.key]) !== grid.columns || (to >= 0 && to < grid.rows.length);
      if (inside) grid.go(to, event.shiftKey);
      return event.preventDefault();
    }
    // On a button, Space and Enter press it.
    if (event.target.matches("button, input") && [" ", "Enter"].includes(event.key)) return;
    const act = this.keys()[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  keys() {
    const { grid, faces } = this;
    const c = faces.columns;
    const bins = Object.fromEntries(Object.entries(BINS).filter(([, bin]) => bin.key).map(([name, bin]) => [bin.key, () => this.move(name)]));
    const face = this.focused;
    const only = (filter) => () => face !== undefined && this.only(filter());
    return {
      ...bins,
      0: () => this.move(null),
      " ": () => grid.toggle(grid.focus),
      Enter: () => this.toggleInspector(true),
      x: () => this.decide(REJECTED, "reject"),
      a: () => this.decide(ACCEPTED, "accept"),
      m: () => this.merge(),
      s: () => this.split(false),
      S: () => this.split(true),
      u: () => this.undo(),
      U: () => this.redo(),
      g: () => this.suggest(),
      v: only(() => ({ video: c.video[face] })),
      t: only(() => ({ track: c.track[face] })),
      p: only(() => ({ person: faces.person[face] })),
      r: () => this.filter(),
      o: () => by("direction").click(),
      d: () => this.toggleInspector(),
      b: () => this.toggleFilters(),
      "+": () => this.resize(grid.size + 16),
      "=": () => this.resize(grid.size + 16),
      "-": () => this.resize(grid.size - 16),
      "?": () => by("help").showModal(),
      Escape: () => (grid.selected.size ? grid.unselect() : this.filters.active && this.filters.clear()),
    };
  }
}

async function begin() {
  // The token has become a cookie: the address may be shown to others, and must not be kept in the history.
  history.replaceState(null, "", location.pathname + location.hash);
  try {
    globalThis.review = new Review(new Faces(await fetched("/api/faces")));
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    by("count").textContent = "";
    by("problem").textContent = error.message;
    by("problem").hidden = false;
  }
}

begin();
