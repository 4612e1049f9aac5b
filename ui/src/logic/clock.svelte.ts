// The server's time, ticking while somebody looks at something that counts.
let skew_ms = 0;

/** A difference that a person would see is taken off; Date has seconds only. */
export function noteServerTime(header: string | null): void {
  const server = header ? Date.parse(header) : NaN;
  if (Number.isNaN(server)) return;
  const difference = server + 500 - Date.now();
  skew_ms = Math.abs(difference) > 2500 ? difference : 0;
}

export function serverNow(): number {
  return Date.now() + skew_ms;
}

class Clock {
  now = $state(Date.now());
  #users = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** For an $effect: ticks until the result is called. */
  tick(): () => void {
    this.now = serverNow();
    if (this.#users++ === 0) this.#timer = setInterval(() => (this.now = serverNow()), 100);
    return () => {
      if (--this.#users === 0) clearInterval(this.#timer);
    };
  }
}

export const clock = new Clock();
