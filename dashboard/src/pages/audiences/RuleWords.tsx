// A rule in words, as a list within lists.

import { phrase, type Phrase } from "./rule/words.ts";
import type { Node } from "./rule/model.ts";

export function RuleWords({ rule }: { rule: Node }) {
  return (
    <ul class="rule-words">
      <Said phrase={phrase(rule)} />
    </ul>
  );
}

function Said({ phrase: { text, below } }: { phrase: Phrase }) {
  return (
    <li>
      {text}
      {below.length > 0 && (
        <>
          :
          <ul>
            {below.map((one, place) => (
              <Said key={place} phrase={one} />
            ))}
          </ul>
        </>
      )}
    </li>
  );
}
