// Numbers and times as people read them. Pure.
const two = (number: number) => String(Math.floor(number)).padStart(2, "0");

/** 840 ms, 1.24 s, 12.4 s, 2 m 05 s, 1 h 02 m, 3 d 04 h. */
export function duration(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 9.995) return `${s.toFixed(2)} s`;
  if (s < 59.95) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two((whole / 60) % 60)} m`;
  return `${Math.floor(whole / 86400)} d ${two((whole / 3600) % 24)} h`;
}

const units: [number, string][] = [
  [60, "s"], [60, "min"], [24, "h"], [30, "d"], [12, "months"], [Infinity, "years"],
];

/** "just now", "42 s ago", "3 min ago", "in 2 h". */
export function relative(then: number, now: number): string {
  let amount = Math.abs(now - then) / 1000;
  if (amount < 5) return "just now";
  for (const [size, name] of units) {
    if (amount < size) {
      const whole = Math.floor(amount);
      const word = whole === 1 ? name.replace(/(month|year)s/, "$1") : name;
      return then > now ? `in ${whole} ${word}` : `${whole} ${word} ago`;
    }
    amount /= size;
  }
  return "";
}

/** With the zone: 2026-03-01 14:05:09.123 +01:00. */
export function exact(at: number): string {
  const date = new Date(at);
  const zone = -date.getTimezoneOffset();
  const sign = zone < 0 ? "-" : "+";
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clockTime(at)} ` +
    `${sign}${two(Math.abs(zone) / 60)}:${two(Math.abs(zone) % 60)}`
  );
}

/** What the browser's field for date and time shows of an instant, in its zone. */
export function localTime(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return "";
  return (
    `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}` +
    `T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
  );
}

/** 14:05:09.123 of the browser's zone. */
export function clockTime(at: number): string {
  const date = new Date(at);
  return (
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.` +
    String(date.getMilliseconds()).padStart(3, "0")
  );
}

/** +0.000, +12.345, +1:02.003 since `from`. */
export function offset(at: number, from: number): string {
  const ms = Math.max(0, Math.round(at - from));
  const s = (Math.floor(ms / 1000) % 60) + (ms % 1000) / 1000;
  const minutes = Math.floor(ms / 60000);
  return minutes ? `+${minutes}:${s.toFixed(3).padStart(6, "0")}` : `+${s.toFixed(3)}`;
}

export function bytes(size: number): string {
  if (size < 1000) return `${size} B`;
  if (size < 1e6) return `${(size / 1000).toFixed(1)} kB`;
  return `${(size / 1e6).toFixed(1)} MB`;
}

export function count(number: number): string {
  return number.toLocaleString("en").replaceAll(",", "\u202f");
}
