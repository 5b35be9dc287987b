// Makes elements. Texts are texts: nothing that comes from a run is ever read as HTML.

/** An element with properties, and children that are elements or texts. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "textContent") children.unshift(value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  return filled(element, ...children);
}

/** The element with these children and no others; null stands for none. */
export function filled(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function counted(count, noun, plural = `${noun}s`) {
  return `${number(count)} ${count === 1 ? noun : plural}`;
}

export function number(value) {
  return value.toLocaleString("en");
}
