// An error code that opens the page which explains it. The page is asked for with the token of this tab, which a plain
// link would not send.
import { useState } from "preact/hooks";
import { request } from "../api/api.ts";
import { useLoad } from "../api/load.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { type Block, blocksOf } from "./markdown.ts";
import { Shown } from "./States.tsx";
import { Spans } from "./Words.tsx";

export function ErrorCode({ code }: { code: string }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button kind="quiet" class="error-code" aria-label={`${code}: what it means`} onClick={() => setOpen(true)}>
        {code}
      </Button>
      {open && <Explanation code={code} onClose={() => setOpen(false)} />}
    </>
  );
}

function Explanation({ code, onClose }: { code: string; onClose: () => void }) {
  const page = useLoad(
    async (signal) => blocksOf(await (await request(`/v1/errors/${encodeURIComponent(code)}`, { signal, accept: "text/markdown" })).text()),
    [code],
  );
  const [first, ...rest] = page.data ?? [];
  const title = first?.kind === "heading" ? first.spans.map((span) => span.text).join("") : code;
  return (
    <Dialog title={title} onClose={onClose}>
      <Shown of={page} what="The explanation is loading">
        {() => (
          <div class="prose">
            {rest.map((block, index) => (
              <Piece key={index} block={block} />
            ))}
          </div>
        )}
      </Shown>
    </Dialog>
  );
}

function Piece({ block }: { block: Block }) {
  switch (block.kind) {
    case "heading":
      return (
        <h3>
          <Spans of={block.spans} />
        </h3>
      );
    case "paragraph":
      return (
        <p>
          <Spans of={block.spans} />
        </p>
      );
    case "list":
      return (
        <ul>
          {block.items.map((spans, index) => (
            <li key={index}>
              <Spans of={spans} />
            </li>
          ))}
        </ul>
      );
    case "code":
      return <pre>{block.text}</pre>;
  }
}
