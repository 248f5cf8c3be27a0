// How values are written: numbers, money, shares, days, times, sizes. Days and times as ISO has them.
import type { Cell } from "../api/types.ts";

export interface Format {
  kind?: "number" | "money" | "percent" | "date" | "text";
  /** Digits after the point. */
  digits?: number;
  /** ISO code, for money. */
  currency?: string;
}

const makers = new Map<string, Intl.NumberFormat>();

function maker(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify(options);
  let found = makers.get(key);
  if (found === undefined) {
    found = new Intl.NumberFormat("en", options);
    makers.set(key, found);
  }
  return found;
}

/** Digits with separators, none of them lost: `12345678901234567890.5` is a text that no float holds. */
function longNumber(text: string): string {
  const [whole = "", part] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part === undefined ? grouped : `${grouped}.${part}`;
}

export function number(value: number, digits?: number): string {
  if (!Number.isFinite(value)) return String(value);
  const most = digits ?? (Number.isInteger(value) ? 0 : Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 1 ? 2 : 4);
  return maker({ maximumFractionDigits: most, minimumFractionDigits: digits ?? 0 }).format(value);
}

/** `1.23M`: for axes and single numbers. */
export function compact(value: number, digits = 1): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) < 1000) return number(value, Number.isInteger(value) ? 0 : undefined);
  return maker({ notation: "compact", maximumFractionDigits: digits }).format(value);
}

export function money(value: number, currency?: string, digits?: number, short = false): string {
  const fraction = digits ?? (short ? 0 : 2);
  const written: Intl.NumberFormatOptions = short && Math.abs(value) >= 1000
    ? { notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: Math.max(1, digits ?? 1) }
    : { minimumFractionDigits: fraction, maximumFractionDigits: fraction };
  if (currency === undefined || !/^[A-Z]{3}$/.test(currency)) return maker(written).format(value);
  return maker({ ...written, style: "currency", currency, currencyDisplay: "narrowSymbol" }).format(value);
}

export function percent(share: number, digits = 1): string {
  return maker({ style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share);
}

/** A value as it is shown in a table, or `short` on an axis. */
export function written(value: Cell | undefined, format: Format = {}, short = false): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "object") return JSON.stringify(value);
  if (format.kind === "text") return String(value);
  if (format.kind === "date") return day(String(value));
  const numeric = typeof value === "number" ? value : format.kind === undefined ? NaN : Number(value);
  if (typeof value === "string" && format.kind === undefined) return value;
  if (Number.isNaN(numeric)) return String(value);
  if (format.kind === "money") return money(numeric, format.currency, format.digits, short);
  if (format.kind === "percent") return percent(numeric, format.digits);
  if (typeof value === "string" && !short && format.digits === undefined) return longNumber(value);
  return short ? compact(numeric, Math.max(1, format.digits ?? 1)) : number(numeric, format.digits);
}

/** `+3.2%`, `−12`: a change with its sign. */
export function signed(value: number, write: (size: number) => string): string {
  return `${value > 0 ? "+" : value < 0 ? "−" : "±"}${write(Math.abs(value))}`;
}

/** The day of a date or a time. */
export function day(text: string): string {
  return text.slice(0, 10);
}

/** A time to the second, in UTC. */
export function time(text: string): string {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text;
  return `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** How long ago, roughly: `5 min ago`. */
export function ago(text: string, now: number = Date.now()): string {
  const seconds = Math.round((now - new Date(text).getTime()) / 1000);
  if (Number.isNaN(seconds)) return text;
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

/** A span in its one or two largest units: `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 1) return seconds <= 0 ? "0 s" : `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return two(minutes, "min", Math.floor(seconds % 60), "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(hours, "h", minutes % 60, "min");
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}

function two(large: number, name: string, small: number, smallName: string): string {
  return small === 0 ? `${large} ${name}` : `${large} ${name} ${small} ${smallName}`;
}

/** Bytes with a unit of 1024. */
export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let size = count;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size >= 100 ? Math.round(size) : Math.round(size * 10) / 10} ${units[unit]}`;
}

/** `1 run`, `2 runs`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** What is told in the middle of a sentence, as the beginning of one. */
export function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Whether a column of this type holds numbers, which stand to the right. */
export function isNumeric(type: string): boolean {
  return /^(U?Int|Float|Decimal)/.test(type);
}
