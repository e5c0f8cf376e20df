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
  readyState = 1;
  heard = []; // what the page said

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    Line.all.push(this);
  }

  static get last() {
    return Line.all.at(-1);
  }

  says(frame) {
    this.onmessage({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  welcomes(epoch = "e1") {
    this.says({ type: "welcome", protocol: 1, epoch, heartbeat_ms: 25_000 });
  }

  closes(code) {
    this.readyState = 3;
    this.onclose({ code });
  }

  send(text) {
    this.heard.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith = code;
  }
}

/** A browser's surroundings in a test's hand: `wakeUp()` is the network's return. */
export function surroundings() {
  const found = {
    WebSocket: Line,
    wakeUp: () => {},
    random: Math.random,
    onWake(wakeUp) {
      found.wakeUp = wakeUp;
      return () => {
        found.wakeUp = () => {};
      };
    },
  };
  return found;
}
