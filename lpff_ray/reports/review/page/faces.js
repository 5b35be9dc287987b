// All faces as columns, what was decided on them, and which of them are shown in which order.

export const NO_BIN = 255;
export const NOBODY = 0xffffffff;
export const ACCEPTED = 1;
export const REJECTED = 2;

export const BINS = {
  frontal: { glyph: "•", name: "frontal", key: "1" },
  profile_left: { glyph: "←", name: "left", key: "2" },
  profile_right: { glyph: "→", name: "right", key: "3" },
  profile_up: { glyph: "↑", name: "up", key: "4" },
  profile_down: { glyph: "↓", name: "down", key: "5" },
  profile_extreme: { glyph: "◆", name: "extreme", key: "6" },
  profile_horizontal: { glyph: "↔", name: "horizontal" },
  profile_vertical: { glyph: "↕", name: "vertical" },
  confused: { glyph: "?", name: "confused" },
};

// name: column, label, digits shown, unit
export const RANGES = [
  { name: "iqa", label: "Quality" },
  { name: "sharpness", label: "Sharpness" },
  { name: "face_px", label: "Face, px" },
  { name: "pose_spread", label: "Disagree°" },
  { name: "abs_yaw", label: "|yaw|°" },
  { name: "likeness", label: "Likeness" },
];

// The first order of each is the useful one; `persons` groups.
export const SORTS = [
  { name: "table", label: "video, time", column: null },
  { name: "persons", label: "person, left to right", column: null },
  { name: "pose_spread", label: "disagreement", column: "pose_spread", down: true },
  { name: "likeness", label: "likeness to the person", column: "likeness" },
  { name: "iqa", label: "quality", column: "iqa" },
  { name: "sharpness", label: "sharpness", column: "sharpness" },
  { name: "abs_yaw", label: "|yaw|", column: "abs_yaw", down: true },
  { name: "yaw", label: "yaw", column: "yaw" },
  { name: "pitch", label: "pitch", column: "pitch" },
  { name: "face_px", label: "size of the face", column: "face_px", down: true },
  { name: "brightness", label: "brightness", column: "brightness" },
  { name: "det_score", label: "detection score", column: "det_score" },
];

export function noFilter() {
  return {
    show: "all", bins: [], duplicates: true, selection: "", video: null, person: null, track: null, ranges: {},
    sort: "table", turned: false,
  };
}

export class Faces {
  constructor(message) {
    const { head, columns } = message;
    this.head = head;
    this.count = head.faces;
    this.columns = columns;
    this.columns.abs_yaw = columns.yaw.map(Math.abs);
    this.names = head.bins;
    this.persons = [...head.identities];
    this.decision = columns.decision.slice();
    this.moved = columns.moved.slice();
    this.person = columns.person.slice();
    this.everyone = Uint32Array.from({ length: this.count }, (_, row) => row);
    this.order = this.everyone; // rows in the order in which they are shown
    this.selections = new Map(); // name -> rows by rank
    this.told(head);
  }

  told(head) {
    this.version = head.version;
    this.undo = head.undo;
    this.redo = head.redo;
    this.actions = head.actions;
    this.reviewers = head.reviewers;
    this.persons.splice(this.head.identities.length, Infinity, ...head.new_persons);
  }

  /** Take in what the server says has changed. */
  changed({ head, columns }) {
    for (let i = 0; i < columns.rows.length; i++) {
      const row = columns.rows[i];
      this.decision[row] = columns.decision[i];
      this.moved[row] = columns.moved[i];
      this.person[row] = columns.person[i];
    }
    this.told(head);
  }

  bin(row) {
    return this.moved[row] === NO_BIN ? this.columns.bin[row] : this.moved[row];
  }

  binOf(row) {
    return BINS[this.names[this.bin(row)]] || { glyph: " ", name: "unknown" };
  }

  id(row) {
    return `${this.head.videos[this.columns.video[row]].id}:${this.columns.frame[row]}:${this.columns.face[row]}`;
  }

  personName(number) {
    return number === NOBODY ? "unknown" : this.persons[number];
  }

  /** Show the faces that pass a filter. Returns how many of those that pass all but its bins are in each bin. */
  apply(filter) {
    const c = this.columns;
    const ranges = Object.entries(filter.ranges).map(([name, [low, high]]) => [c[name], low ?? -Infinity, high ?? Infinity]);
    const bins = new Set(filter.bins.map((name) => this.names.indexOf(name)));
    const counts = new Uint32Array(256);
    const base = filter.selection ? this.selections.get(filter.selection) : this.everyone;
    const found = new Uint32Array(base.length);
    let length = 0;
    for (const row of base) {
      if (filter.video !== null && c.video[row] !== filter.video) continue;
      if (filter.track !== null && c.track[row] !== filter.track) continue;
      if (filter.person !== null && this.person[row] !== filter.person) continue;
      if (!filter.duplicates && !c.kept[row]) continue;
      if (!this.passes(row, filter.show)) continue;
      let inside = true;
      for (const [column, low, high] of ranges) inside &&= column[row] >= low && column[row] <= high;
      if (!inside) continue;
      const bin = this.bin(row);
      counts[bin]++;
      if (bins.size && !bins.has(bin)) continue;
      found[length++] = row;
    }
    this.order = this.sorted(found.slice(0, length), filter);
    return counts;
  }

  passes(row, show) {
    if (show === "all") return true;
    if (show === "undecided") return this.decision[row] === 0 && this.moved[row] === NO_BIN;
    if (show === "rejected") return this.decision[row] === REJECTED;
    if (show === "accepted") return this.decision[row] === ACCEPTED;
    if (show === "moved") return this.moved[row] !== NO_BIN && this.moved[row] !== this.columns.bin[row];
    return this.person[row] !== this.columns.identity[row]; // regrouped
  }

  sorted(rows, filter) {
    const sort = SORTS.find((one) => one.name === filter.sort) || SORTS[0];
    const down = Boolean(sort.down) !== filter.turned;
    if (sort.name === "persons") {
      const sizes = this.sizes();
      const { yaw } = this.columns;
      const size = (row) => (this.person[row] === NOBODY ? -1 : sizes[this.person[row]]);
      rows.sort((a, b) => size(b) - size(a) || this.person[a] - this.person[b] || yaw[b] - yaw[a] || a - b);
    } else if (sort.column) {
      // As whole numbers that order as the keys do, beside their row: sorting those needs no call per comparison.
      return byKey(rows, this.columns[sort.column], down);
    }
    if (down) rows.reverse();
    return rows;
  }

  /** How many faces every person has. */
  sizes() {
    const sizes = new Uint32Array(this.persons.length);
    for (const person of this.person) if (person !== NOBODY) sizes[person]++;
    return sizes;
  }

  /** How many faces something was decided on, among some rows, or all. */
  decided(rows = this.everyone) {
    let count = 0;
    for (const row of rows) if (this.decision[row] || this.moved[row] !== NO_BIN) count++;
    return count;
  }
}

/** Rows by the value of each in a column, those without one last, equal ones in their order. */
export function byKey(rows, column, down) {
  const count = rows.length;
  const floats = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const value = column[rows[i]];
    floats[i] = Number.isNaN(value) ? Infinity : (down ? -value : value) + 0;
  }
  const bits = new Uint32Array(floats.buffer);
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const raw = bits[i];
    const ordered = raw >>> 31 ? ~raw >>> 0 : (raw | 0x80000000) >>> 0; // of negative numbers, the bits run backwards
    keys[i] = ordered * 2097152 + i; // 32 bits and 21 bits: exact in a float64, for two million faces
  }
  if (count > 2097152) return rows.sort((a, b) => (down ? column[b] - column[a] : column[a] - column[b]) || a - b);
  keys.sort();
  return Uint32Array.from(keys, (key) => rows[key % 2097152]);
}
