/** The dialog that shows one face of a group large, with all that was measured, and the others beside it. */
const viewer = (() => {
  const dialog = document.getElementById("viewer");
  const part = (name) => dialog.querySelector(`.viewer-${name}`);
  let group = [];
  let at = 0;

  function row(name, ...value) {
    return [element("dt", {}, name), element("dd", {}, ...value)];
  }

  function facts(face) {
    const source = data.sources[face.source];
    const rows = [
      row("source", element("span", { title: source }, shortName(source)), face.clip ? ` (${face.clip})` : ""),
      row("frame", `${whole(face.frame ?? 0)}, at ${digits(face.time, 2)} s`),
      row("azimuth, elevation, tilt", [face.azimuth, face.elevation, face.tilt].map(degrees).join(", ")),
      row("yaw, pitch, roll", [face.yaw, face.pitch, face.roll].map(degrees).join(", ")),
      row("pose bin", face.bin ?? "–"),
      row("pose spread", degrees(face.pose_spread)),
      row("size", `${digits(face.face_px)} px`),
      row("detection score", digits(face.det_score, 3)),
      row("sharpness", digits(face.sharpness, 2)),
      row("image quality", digits(face.iqa)),
      row("brightness", digits(face.brightness)),
    ];
    if (face.identity) rows.push(row("identity", face.identity));
    if (face.duplicateOf) rows.push(row("duplicate of", face.duplicateOf));
    rows.push(row("face_id", element("code", {}, face.id)));
    return rows.flat();
  }

  function votes(face) {
    if (!face.votes.length) return [];
    const line = (cells, kind) => element("tr", {}, ...cells.map((cell) => element(kind, {}, cell)));
    return [
      element("thead", {}, line(["estimator", "yaw", "pitch", "roll"], "th")),
      element("tbody", {}, ...face.votes.map(([name, ...angles]) => line([name, ...angles.map(degrees)], "td"))),
    ];
  }

  function show(index) {
    at = (index + group.length) % group.length;
    const number = group[at];
    const face = data.faces[number];
    const large = part("picture");
    large.replaceChildren(picture(number, "the face, with its box"));
    if (pictures[number] && face.box) {
      const box = element("span", { class: "box" });
      ["left", "top", "width", "height"].forEach((side, place) => (box.style[side] = `${100 * face.box[place]}%`));
      large.append(box);
    }
    part("facts").replaceChildren(...(face ? facts(face) : [element("dd", {}, summary(number))]));
    part("votes").replaceChildren(...(face ? votes(face) : []));
    part("place").textContent = group.length > 1 ? `${at + 1} of ${group.length}` : "";
    part("strip").querySelectorAll("button").forEach((button, place) => {
      button.setAttribute("aria-current", place === at);
      if (place === at) button.scrollIntoView({ block: "nearest" });
    });
  }

  function open(faces, first = 0, title = "Face", about = "") {
    group = faces;
    part("title").textContent = title;
    part("about").textContent = about;
    part("strip").replaceChildren(
      ...(faces.length > 1
        ? faces.map((number, index) =>
            element("button", { class: "tile", type: "button", title: summary(number), "aria-label": summary(number),
              click: () => show(index) }, picture(number)))
        : []),
    );
    part("strip").hidden = faces.length < 2;
    if (!dialog.open) dialog.showModal();
    show(first);
    dialog.scrollTop = 0;
  }

  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]; // up and down scroll
    if (!step) return;
    event.preventDefault();
    show(at + step);
  });
  // A click outside of the dialog's own box is one on its backdrop.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  part("close").addEventListener("click", () => dialog.close());
  return { open };
})();
