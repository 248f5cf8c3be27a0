// The SQL that the rule is compiled to, with consent and suppression.

import { useLoad } from "../../../api/load.ts";
import { at } from "../../../location.ts";
import { Shown } from "../../../ui/States.tsx";
import { explainRule } from "../api.ts";

export function SqlPanel({ text }: { text: string | null }) {
  const sql = useLoad(async (signal) => (text === null ? "" : explainRule(text, at.value, signal)), [text, at.value]);
  if (text === null) return <p class="quiet">There is no SQL while the rule is not whole.</p>;
  return (
    <Shown of={sql} what="The rule is being compiled">
      {(compiled) => (
        <pre tabIndex={0} aria-label="The SQL">
          {compiled}
        </pre>
      )}
    </Shown>
  );
}
