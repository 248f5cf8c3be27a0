// The rule as a text, which can be typed: the canvas follows as soon as it can be read.

import { useEffect, useState } from "preact/hooks";
import { Field } from "../../../ui/Field.tsx";
import { isEmpty } from "../rule/check.ts";
import { contained } from "../rule/edit.ts";
import type { Node } from "../rule/model.ts";
import { parse } from "../rule/parse.ts";
import { text } from "../rule/text.ts";
import { Slip } from "../rule/tokens.ts";

interface Props {
  root: Node;
  onRoot: (root: Node) => void;
}

/** The rule as a text that can be read again: there is none of an empty container. */
function written(root: Node): string {
  return isEmpty(root) ? "" : text(root);
}

export function TextPanel({ root, onRoot }: Props) {
  const [typed, setTyped] = useState(written(root));
  const [slip, setSlip] = useState<Slip | null>(null);
  const [sent, setSent] = useState<Node>(root);
  useEffect(() => {
    // What comes from the canvas is shown; what was typed here stays as it was typed.
    if (root === sent) return;
    setTyped(written(root));
    setSent(root);
    setSlip(null);
  }, [root]);
  const type = (line: string) => {
    setTyped(line);
    if (line.trim() === "") return setSlip(null);
    try {
      const read = contained(parse(line));
      setSlip(null);
      setSent(read);
      onRoot(read);
    } catch (thrown) {
      if (!(thrown instanceof Slip)) throw thrown;
      setSlip(thrown);
    }
  };
  const error =
    slip === null ? null : `Character ${slip.before + 1}: ${slip.message}. The canvas shows what could be read last.`;
  return (
    <Field
      label="The rule as a text"
      hint="Typing here changes the canvas as well. Texts and days stand in single quotes."
      {...(error ? { error } : {})}
    >
      {(ids) => (
        <textarea
          {...ids}
          class="code rule-text"
          rows={6}
          spellcheck={false}
          value={typed}
          onInput={(event) => type(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}
