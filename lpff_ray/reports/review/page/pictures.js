// Thumbnails of what is seen, fetched in batches, newest wishes first, and kept as far as memory is bounded.

import { fetched } from "./server.js";

const MOST = 4000; // kept, some 4 kB each
const BATCH = 96;
const AT_ONCE = 2;

export class PictureCache {
  /** arrived: called when some have come. */
  constructor(there, arrived) {
    this.there = there;
    this.arrived = arrived;
    this.urls = new Map(); // row -> address, "" where there is none; in the order of their last use
    this.wanted = [];
    this.asking = 0;
    this.asked = new Set();
  }

  /** The address of a row's picture, "" if it has none, undefined if that is not known yet. */
  of(row) {
    if (!this.there) return "";
    const url = this.urls.get(row);
    if (url !== undefined) {
      this.urls.delete(row);
      this.urls.set(row, url);
    }
    return url;
  }

  /** What is seen now, and lacks a picture; earlier wishes that were not asked for are forgotten. */
  want(rows) {
    this.wanted = rows;
    this.ask();
  }

  async ask() {
    if (this.asking >= AT_ONCE) return;
    const rows = this.wanted.filter((row) => !this.urls.has(row) && !this.asked.has(row)).slice(0, BATCH);
    if (!rows.length) return;
    this.asking++;
    rows.forEach((row) => this.asked.add(row));
    try {
      const { columns } = await fetched("/api/thumbnails", { rows });
      let start = 0;
      columns.rows.forEach((row, i) => {
        const jpeg = columns.bytes.subarray(start, (start += columns.sizes[i]));
        this.urls.set(row, jpeg.length ? URL.createObjectURL(new Blob([jpeg], { type: "image/jpeg" })) : "");
      });
    } catch {
      // The next action or refresh tells that the server is gone; until then the faces stay grey.
    } finally {
      rows.forEach((row) => this.asked.delete(row));
      this.asking--;
    }
    this.forget();
    this.arrived();
  }

  forget() {
    for (const [row, url] of this.urls) {
      if (this.urls.size <= MOST) break;
      this.urls.delete(row);
      if (url) URL.revokeObjectURL(url);
    }
  }
}
