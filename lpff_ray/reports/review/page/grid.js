// The grid: only cells that are seen are in the document, and they are used again as it scrolls.

import { ACCEPTED, NO_BIN, REJECTED } from "./faces.js";

const GAP = 6;
const TEXT = 20; // px below the picture
const EDGE = 4; // borders of a cell, both sides
const NARROW = 104; // px: below, there is no room for all texts
const MARGIN = 1; // rows above and below what is seen
const TALLEST = 8_000_000; // px: browsers end taller pages somewhere; beyond, a pixel of scrolling is more than a pixel

export class Grid {
  constructor(element, faces, pictures, events) {
    this.element = element;
    this.cells = element.firstElementChild;
    this.faces = faces;
    this.pictures = pictures;
    this.events = events;
    this.size = 128;
    this.focus = 0; // position in faces.order
    this.anchor = 0;
    this.selected = new Set(); // rows
    this.used = new Map(); // position -> cell
    this.free = [];
    this.asked = false;
    element.addEventListener("scroll", () => this.refresh(), { passive: true });
    new ResizeObserver(() => this.relayout()).observe(element);
    this.mouse();
  }

  get rows() {
    return this.faces.order;
  }

  /** Show the order of `faces` anew. keep: the row that is to stay in focus. */
  relayout(keep) {
    const seen = this.top / (this.pitch || 1);
    this.width = this.element.clientWidth;
    this.columns = Math.max(1, Math.floor((this.width - GAP) / (this.size + GAP)));
    this.side = Math.floor((this.width - GAP) / this.columns) - GAP;
    this.pitch = this.side + TEXT + GAP;
    this.height = Math.ceil(this.rows.length / this.columns) * this.pitch + GAP;
    this.tall = Math.min(this.height, TALLEST);
    this.cells.style.height = `${this.tall}px`;
    this.cells.style.setProperty("--side", `${this.side}px`);
    for (const position of [...this.used.keys()]) this.release(position);
    if (keep !== undefined) {
      this.focus = Math.max(0, this.rows.indexOf(keep));
      this.anchor = this.focus;
      this.show(this.focus);
    } else if (seen > 0 && this.rows.length) {
      this.show(this.focus);
    }
    this.focus = Math.min(this.focus, Math.max(0, this.rows.length - 1));
    this.refresh();
  }

  /** How much of the whole height scrolling stands for: 1 unless the grid is taller than a page can be. */
  get scale() {
    const room = this.tall - this.element.clientHeight;
    return this.tall < this.height && room > 0 ? (this.height - this.element.clientHeight) / room : 1;
  }

  /** The height of what is above the first line that is seen. */
  get top() {
    return this.element.scrollTop * (this.tall ? this.scale : 1);
  }

  scrollTo(top) {
    this.element.scrollTop = Math.max(0, top) / this.scale;
  }

  /** Draw with the next frame. */
  refresh() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  draw() {
    const { top } = this;
    const first = Math.max(0, (Math.floor(top / this.pitch) - MARGIN) * this.columns);
    const last = Math.min(
      this.rows.length,
      (Math.ceil((top + this.element.clientHeight) / this.pitch) + MARGIN) * this.columns,
    );
    for (const position of [...this.used.keys()]) if (position < first || position >= last) this.release(position);
    const moved = this.element.scrollTop - top; // 0 unless the grid is scaled
    const missing = [];
    for (let position = first; position < last; position++) {
      const cell = this.used.get(position) || this.take(position);
      const line = Math.floor(position / this.columns);
      const x = GAP + (position % this.columns) * (this.side + GAP);
      const place = `translate(${x}px, ${GAP + line * this.pitch + moved}px)`;
      if (cell.place !== place) cell.element.style.transform = cell.place = place;
      this.fill(cell, this.rows[position], position);
      if (cell.url === undefined) missing.push(cell.row);
    }
    this.pictures.want(missing);
    this.element.setAttribute("aria-activedescendant", this.used.has(this.focus) ? this.used.get(this.focus).element.id : "");
    this.events.drawn(first, last);
  }

  release(position) {
    const cell = this.used.get(position);
    this.used.delete(position);
    cell.element.hidden = true;
    this.free.push(cell);
  }

  take(position) {
    const cell = this.free.pop() || this.made();
    cell.element.hidden = false;
    cell.row = -1;
    cell.element.style.width = `${this.side}px`;
    cell.element.style.height = `${this.side + TEXT}px`;
    cell.picture.style.height = `${this.side - EDGE}px`;
    this.used.set(position, cell);
    return cell;
  }

  made() {
    const element = document.createElement("div");
    element.className = "cell";
    element.role = "option";
    element.id = `cell-${this.used.size + this.free.length}-${Math.random().toString(36).slice(2)}`;
    const picture = element.appendChild(document.createElement("div"));
    picture.className = "picture";
    const image = picture.appendChild(document.createElement("img"));
    image.alt = "";
    image.draggable = false;
    const text = element.appendChild(document.createElement("div"));
    text.className = "text";
    const pose = text.appendChild(document.createElement("b"));
    const numbers = text.appendChild(document.createElement("span"));
    this.cells.appendChild(element);
    return { element, picture, image, pose, numbers, extras: {}, row: -1, state: "", url: undefined, place: "" };
  }

  /** Write a text over a cell's picture, "" for none. Most cells have none, so its element is made when it is needed. */
  over(cell, name, text) {
    let extra = cell.extras[name];
    if (!extra) {
      if (!text) return;
      extra = cell.extras[name] = cell.picture.appendChild(document.createElement("span"));
      extra.className = name;
    }
    if (extra.textContent !== text) extra.textContent = text;
    extra.hidden = !text;
  }

  /** Write into a cell what has changed. */
  fill(cell, row, position) {
    const { faces } = this;
    const c = faces.columns;
    if (cell.row !== row) {
      cell.row = row;
      cell.state = "";
      cell.url = undefined;
      cell.image.className = "";
      this.over(cell, "none", "");
      cell.numbers.textContent = `${angle(c.azimuth[row], c.yaw[row])} ${angle(c.elevation[row], c.pitch[row])}`;
      if (this.side >= NARROW) cell.numbers.textContent += `  q${shown(c.iqa[row])}`;
      this.over(cell, "badge duplicate", c.kept[row] ? "" : "=");
      cell.element.setAttribute("aria-posinset", position + 1);
      cell.element.setAttribute("aria-setsize", this.rows.length);
    }
    if (cell.url === undefined) {
      cell.url = this.pictures.of(row);
      if (cell.url) {
        cell.image.src = cell.url;
        cell.image.className = "there";
        this.over(cell, "none", "");
      } else if (cell.url === "") {
        this.over(cell, "none", `${Math.round(c.face_px[row])} px\nno picture`);
      }
    }
    const decision = faces.decision[row];
    const moved = faces.moved[row] !== NO_BIN && faces.moved[row] !== c.bin[row];
    const selected = this.selected.has(row);
    const focused = position === this.focus;
    const state = `${decision} ${faces.moved[row]} ${selected} ${focused}`;
    if (state === cell.state) return;
    cell.state = state;
    const names = ["cell"];
    if (decision === REJECTED) names.push("rejected");
    if (decision === ACCEPTED) names.push("accepted");
    if (moved) names.push("moved");
    if (selected) names.push("selected");
    if (focused) names.push("focused");
    cell.element.className = names.join(" ");
    cell.element.setAttribute("aria-selected", selected);
    const bin = faces.binOf(row);
    cell.pose.textContent = this.side < NARROW ? bin.glyph : `${bin.glyph} ${bin.name}`;
    this.over(cell, "badge decision", ["", "✓", "✕"][decision]);
    this.over(cell, "badge bin", moved ? bin.glyph : "");
    cell.element.setAttribute("aria-label", `${bin.name}${["", ", accepted", ", rejected"][decision]}`);
  }

  /** Scroll as far as is needed to see a position. */
  show(position) {
    const top = Math.floor(position / this.columns) * this.pitch;
    const room = this.element.clientHeight;
    if (top < this.top) this.scrollTo(top);
    else if (top + this.pitch + GAP > this.top + room) this.scrollTo(top + this.pitch + GAP - room);
  }

  /** Move the focus. extend: select from the anchor to there. */
  go(position, extend = false) {
    if (!this.rows.length) return;
    this.focus = Math.max(0, Math.min(this.rows.length - 1, position));
    if (extend) this.select(this.anchor, this.focus);
    else this.anchor = this.focus;
    this.show(this.focus);
    this.refresh();
    this.events.focused();
  }

  /** Select a stretch of positions, and no other. */
  select(from, to) {
    this.selected.clear();
    for (let i = Math.min(from, to); i <= Math.max(from, to); i++) this.selected.add(this.rows[i]);
    this.refresh();
    this.events.selected();
  }

  toggle(position) {
    const row = this.rows[position];
    if (row === undefined) return;
    if (!this.selected.delete(row)) this.selected.add(row);
    this.refresh();
    this.events.selected();
  }

  unselect() {
    this.selected.clear();
    this.anchor = this.focus;
    this.refresh();
    this.events.selected();
  }

  /** The rows that an action is about: the selected ones, else the one in focus. */
  target() {
    if (this.selected.size) return [...this.selected];
    return this.rows.length ? [this.rows[this.focus]] : [];
  }

  /** The position at a point of the window, also between and beside the cells. */
  at(x, y) {
    const box = this.element.getBoundingClientRect();
    const column = Math.max(0, Math.min(this.columns - 1, Math.floor((x - box.left - GAP / 2) / (this.side + GAP))));
    const line = Math.floor((y - box.top + this.top - GAP / 2) / this.pitch);
    return Math.max(0, Math.min(this.rows.length - 1, line * this.columns + column));
  }

  /** A click selects one, with Ctrl one more or less, with Shift a stretch, as dragging does. */
  mouse() {
    let dragging = null;
    this.element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.target.closest(".cell")) return;
      const position = this.at(event.clientX, event.clientY);
      this.element.focus({ preventScroll: true });
      if (event.shiftKey) return this.go(position, true);
      if (event.ctrlKey || event.metaKey) {
        this.toggle(position);
        return this.go(position);
      }
      if (event.pointerType === "touch") {
        this.toggle(position); // there is no Ctrl; dragging scrolls
        return this.go(position);
      }
      this.unselect();
      this.go(position);
      dragging = { from: position, x: event.clientX, y: event.clientY, moving: false };
      this.element.setPointerCapture(event.pointerId);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (!dragging) return;
      const far = Math.hypot(event.clientX - dragging.x, event.clientY - dragging.y) > 6;
      dragging.moving ||= far;
      if (!dragging.moving) return;
      const box = this.element.getBoundingClientRect();
      if (event.clientY > box.bottom - 24) this.element.scrollTop += 24;
      if (event.clientY < box.top + 24) this.element.scrollTop -= 24;
      const to = this.at(event.clientX, event.clientY);
      if (to === dragging.to) return;
      dragging.to = to;
      this.anchor = dragging.from;
      this.focus = to;
      this.select(dragging.from, to);
      this.events.focused();
    });
    const ended = () => (dragging = null);
    this.element.addEventListener("pointerup", ended);
    this.element.addEventListener("pointercancel", ended);
    this.element.addEventListener("dblclick", () => this.events.opened());
  }
}

/** Where the nose points; runs of older releases have the angles of 300W-LP alone, which lock near profile. */
function angle(value, older) {
  return `${shown(Number.isNaN(value) ? older : value)}°`;
}

function shown(value) {
  return Number.isNaN(value) ? "–" : Math.round(value);
}
