// When a browser may try again: the network is back, or somebody looks at the page again.

/** Call `wakeUp` whenever there is no reason to wait any longer; returns the function that stops it. */
export function onWake(wakeUp) {
  const look = () => {
    if (!document.hidden && navigator.onLine) wakeUp();
  };
  addEventListener("online", look);
  addEventListener("pageshow", look);
  document.addEventListener("visibilitychange", look);
  return () => {
    removeEventListener("online", look);
    removeEventListener("pageshow", look);
    document.removeEventListener("visibilitychange", look);
  };
}
