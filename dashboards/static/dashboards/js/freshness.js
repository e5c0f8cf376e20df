// How fresh a page is, in words. No page.

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  late: "Not verified",
  "catching-up": "Catching up",
  reconnecting: "Reconnecting",
  ended: "Ended",
};

/** A moment as the clock of whoever looks shows it. */
function clock(moment) {
  return new Date(moment).toLocaleTimeString("en-GB");
}

/**
 * Put a state of OrderSocket into {words, detail, hint}. `words` are for everybody, `detail` is small beside them,
 * `hint` is for who asks. `left` are the seconds until the next attempt.
 */
export function freshness({ name, reason, verifiedAt }, left = 0) {
  const words = reason ? `${WORDS[name]}: ${reason}` : WORDS[name];
  const until = verifiedAt ? clock(verifiedAt) : "";
  const hint = verifiedAt ? `Everything committed before ${until} (${verifiedAt.slice(0, 19).replace("T", " ")} UTC) is on this page.` : "";
  if (name === "live") return { words, detail: until && `verified ${until}`, hint: hint || "Everything is on this page. The server verifies it every few seconds." };
  if (name === "reconnecting") return { words, detail: left > 0 ? `in ${left} s` : "", hint };
  if (name === "late") return { words, detail: until && `since ${until}`, hint: `The server cannot look into its database just now. ${hint}`.trim() };
  return { words, detail: "", hint };
}

/** Whether logging in again would help. */
export function wantsLogin({ name, code }) {
  return name === "ended" && (code === 4401 || code === 4405);
}

/** The log-in that comes back to the page at `here`. */
export function loginAddress(login, { pathname, search }) {
  return `${login}?next=${encodeURIComponent(pathname + search)}`;
}
