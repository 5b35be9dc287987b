/** Azimuth by elevation: a cell per range, with a face of it, the number of faces there, and more on a click. */
(() => {
  const map = data.map;
  const holder = document.getElementById("map");
  if (!holder || !map.columns.length) return;
  const sets = document.getElementById("map-set");
  const mode = document.getElementById("map-pictures");
  const status = document.getElementById("map-status");
  map.layers.forEach((layer, index) => sets.append(element("option", { value: index }, `${layer.name} (${whole(layer.faces)})`)));

  const range = (cell) => `${signed((cell - 0.5) * map.step)}° to ${signed((cell + 0.5) * map.step)}°`;

  function cellOf(layer, most, column, row) {
    const found = layer.cells.find((cell) => cell[0] === column && cell[1] === row);
    if (!found) return element("span", { class: "cell empty" });
    const [, , count, faces] = found;
    const where = `azimuth ${range(column)}, elevation ${range(row)}`;
    const cell = element("button", {
      class: "cell",
      type: "button",
      tabindex: -1,
      "aria-label": `${where}: ${whole(count)} faces`,
      title: `${where}\n${whole(count)} faces`,
      "data-column": column,
      "data-row": row,
      click: () => viewer.open(faces, 0, `Azimuth ${range(column)}, elevation ${range(row)}`,
        `${whole(count)} of ${whole(layer.faces)} faces (${layer.name}); ${faces.length} shown: the best, others at random`),
    }, mode.checked ? picture(faces[0]) : null, element("span", { class: "count" }, short(count)));
    cell.style.setProperty("--heat", (Math.log1p(count) / Math.log1p(most)).toFixed(3));
    return cell;
  }

  const short = (count) => (count < 10000 ? whole(count) : `${Math.round(count / 1000)}k`);

  function draw() {
    const layer = map.layers[Number(sets.value)];
    const most = Math.max(1, ...layer.cells.map((cell) => cell[2]));
    holder.style.setProperty("--columns", map.columns.length);
    holder.classList.toggle("with-pictures", mode.checked);
    const parts = [];
    for (const row of map.rows) {
      parts.push(element("span", { class: "axis y" }, degrees(row * map.step)));
      for (const column of map.columns) parts.push(cellOf(layer, most, column, row));
    }
    parts.push(element("span", { class: "axis" }));
    for (const column of map.columns) parts.push(element("span", { class: "axis x" }, degrees(column * map.step)));
    holder.replaceChildren(...parts);
    const first = holder.querySelector('[data-column="0"][data-row="0"]') || holder.querySelector("button");
    if (first) first.tabIndex = 0;
    status.textContent = `${whole(layer.faces)} faces in ${layer.cells.length} cells; colours by the logarithm of the number`;
  }

  /** One stop of the Tab key; arrows move to the next cell that holds faces. */
  holder.addEventListener("keydown", (event) => {
    const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const from = event.target.closest("button.cell");
    if (!step || !from) return;
    event.preventDefault();
    let [x, y] = [map.columns.indexOf(Number(from.dataset.column)), map.rows.indexOf(Number(from.dataset.row))];
    while (true) {
      x += step[0];
      y += step[1];
      if (x < 0 || y < 0 || x >= map.columns.length || y >= map.rows.length) return;
      const next = holder.querySelector(`button[data-column="${map.columns[x]}"][data-row="${map.rows[y]}"]`);
      if (!next) continue;
      from.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      return;
    }
  });
  sets.addEventListener("change", draw);
  mode.addEventListener("change", draw);
  draw();
})();
