/** Fills every element with the attribute data-faces with the pictures of these faces. */
function captionOf(number, kind) {
  const face = data.faces[number];
  if (!face) return "gone";
  if (kind === "spread") return degrees(face.pose_spread);
  if (kind === "azimuth") return degrees(face.azimuth);
  if (kind === "bin") return (face.bin || "").replace("profile_", "");
  if (!kind) return "";
  return digits(face[kind], ["det_score", "sharpness"].includes(kind) ? 2 : 0);
}

function fillTiles(holder) {
  const faces = (holder.dataset.faces || "").split(" ").filter(Boolean).map(Number);
  const title = holder.dataset.title || "Faces";
  const row = holder.closest("[data-row]");
  faces.forEach((number, index) => {
    const caption = captionOf(number, holder.dataset.caption);
    holder.append(
      element("button", {
        class: "tile",
        type: "button",
        title: summary(number),
        "aria-label": summary(number),
        // A row is one stop of the Tab key; Enter on it opens its faces.
        tabindex: row ? -1 : null,
        click: (event) => {
          event.stopPropagation();
          viewer.open(faces, index, title);
        },
      }, picture(number), caption ? element("span", { class: "caption" }, caption) : null),
    );
  });
  if (row) {
    row.tabIndex = 0;
    row.addEventListener("click", () => viewer.open(faces, 0, title));
    row.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target !== row) return;
      event.preventDefault();
      viewer.open(faces, 0, title);
    });
  }
}

for (const holder of document.querySelectorAll("[data-faces]")) {
  if (holder.dataset.faces) whenSeen(holder, () => fillTiles(holder));
}
