// A text of the server, in which what stands between backquotes is code: names of columns, commands, keys.
import { spansOf, type Span } from "./markdown.ts";

export function Words({ text }: { text: string }) {
  return <Spans of={spansOf(text)} />;
}

export function Spans({ of }: { of: Span[] }) {
  return <>{of.map((span, index) => (span.code ? <code key={index}>{span.text}</code> : span.text))}</>;
}
