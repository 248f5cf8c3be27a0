// The file that comes of the builder, to be copied or downloaded for another place.

import { download } from "../../../chart/export.ts";
import { Button } from "../../../ui/Button.tsx";
import { tell, tellError } from "../../../ui/Toast.tsx";
import { fileOf, type Draft } from "./document.ts";
import type { Saved } from "./saved.ts";

export function FilePanel({ draft, saved }: { draft: Draft; saved: Saved }) {
  const file = fileOf(draft);
  const name = `${saved.name || "audience"}.yaml`;
  const copy = async () => {
    // Browsers have no clipboard for pages that came without TLS from another machine.
    if (!navigator.clipboard) return tell("This browser does not copy here: mark the text, or download the file", true);
    try {
      await navigator.clipboard.writeText(file);
      tell("Copied");
    } catch (thrown) {
      tellError(thrown);
    }
  };
  return (
    <div class="stack">
      {saved.hasComments && <p class="quiet">The file that there is has comments, which the builder does not keep.</p>}
      <pre aria-label="The file" tabIndex={0}>
        {file}
      </pre>
      <div class="row">
        <Button onClick={() => void copy()}>Copy</Button>
        <Button onClick={() => download(name, new Blob([file], { type: "application/yaml" }))}>Download {name}</Button>
      </div>
    </div>
  );
}
