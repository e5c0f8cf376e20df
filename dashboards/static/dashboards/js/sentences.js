// What a person is told of a change, in a line. No page.

const LABELS = {
  actual_price: "price",
  booster_price: "payout",
  booster_username: "booster",
  client_username: "client",
  disputed: "dispute",
  last_payment: "payment",
  last_payout: "payout made",
  reached_rank: "rank",
  reached_division: "division",
  reached_marks: "marks",
};
const SILENT = new Set(["message", "booster_id", "title"]);

/** Say what a viewer can see of a newer state. */
export function newsWords({ frame, before, changed }) {
  const parts = [];
  if (changed.includes("message") && frame.message) parts.push(frame.message);
  if (changed.includes("actual_price")) parts.push(movement("Price", before?.actual_price, frame.actual_price));
  if (changed.includes("booster_price")) parts.push(movement("Payout", before?.booster_price, frame.booster_price));
  if (parts.length === 0) {
    const names = changed.filter((name) => !SILENT.has(name)).map((name) => LABELS[name] ?? name);
    if (names.length) parts.push(`New: ${names.join(", ")}`);
  }
  return parts.join(" ");
}

function movement(label, before, after) {
  return before ? `${label} ${before} → ${after}.` : `${label} ${after}.`;
}

// Who may not see an order any more learns that, and not what became of it.
const GONE = {
  available: "Somebody else has it now, or it was dropped.",
  mine: "It is not yours any more.",
};

/** Name an order in the head of a notice; its title may not be known. */
export function orderName(id, title) {
  return title ? `${title} · #${id}` : `Order ${id}`;
}

/**
 * Say why an order has left the list `shelf`; "" when that is no news to anybody.
 *
 * `frame` is the last state that was seen of it, `statuses` are those that the list shows (undefined: all), `now` is
 * the title of the list that the order is on instead.
 */
export function lossWords({ shelf, reason, frame, statuses, now }) {
  if (now) return `It is under “${now}” now.`;
  if (reason === "limit") return "";
  if (reason === "deleted") return "It was deleted.";
  if (reason === "filtered") {
    const isOut = frame && statuses && !statuses.includes(frame.status);
    return isOut ? `It is ${frame.status} now, which this list leaves out.` : "It does not belong to this list any more.";
  }
  return GONE[shelf] ?? "It is no longer yours to see.";
}

/** Say why an order's page has ended. */
export function endWords(reason) {
  return reason === "deleted" ? "this order was deleted" : "this order is no longer yours to see";
}
