// What the modules ask of a browser, as little as they need of it.

/** An element with a dataset, attributes and text. */
export class Element {
  textContent = "";
  offsetWidth = 0;
  attributes = new Map();

  constructor(dataset = {}) {
    this.dataset = dataset;
  }

  setAttribute(name, value) {
    this.attributes.set(name, value);
  }

  removeAttribute(name) {
    this.attributes.delete(name);
  }

  toggleAttribute(name, on) {
    if (on) this.attributes.set(name, "");
    else this.attributes.delete(name);
  }
}

/** A line to a server that says what the test wants: `says` and `closes` are the server's doing. */
export class Line {
  static all = [];

  constructor(url) {
    this.url = url;
    Line.all.push(this);
  }

  static get last() {
    return Line.all.at(-1);
  }

  says(frame) {
    this.onmessage({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  closes(code) {
    this.onclose({ code });
  }

  close(code) {
    this.closedWith = code;
  }
}
