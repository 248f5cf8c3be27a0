// The page of the builder: for a new audience, or for one of the project, as its file has it now.

import { ApiError } from "../../api/api.ts";
import { useLoad } from "../../api/load.ts";
import { at, href } from "../../location.ts";
import type { PageProps } from "../../routes.ts";
import { Shown } from "../../ui/States.tsx";
import { getFile, listAudiences, loadVocabulary, type AudienceFile } from "./api.ts";
import "./audiences.css";
import { Builder } from "./builder/Builder.tsx";
import "./builder/builder.css";
import { blank, draftOf, type Draft } from "./builder/document.ts";
import type { Saved } from "./builder/saved.ts";
import { audiencePath } from "./paths.ts";
import { contained } from "./rule/edit.ts";
import { beginning } from "./rule/fresh.ts";
import { Unreadable } from "./rule/written.ts";

export default function BuilderPage({ parts }: PageProps) {
  const name = parts.name ?? null;
  return <One key={name ?? ""} name={name} />;
}

function One({ name }: { name: string | null }) {
  const loaded = useLoad(
    async (signal) => {
      const [names, begun] = await Promise.all([
        loadVocabulary(at.value, signal),
        name === null ? null : beginOf(name, at.value, signal),
      ]);
      return { names, begun };
    },
    [name, at.value],
  );
  return (
    <>
      <div class="page-head">
        <h1>{name === null ? "New audience" : `Edit ${name}`}</h1>
        <a href={href(name === null ? "/audiences" : audiencePath(name))}>
          {name === null ? "All audiences" : "Back to the audience"}
        </a>
      </div>
      <Shown of={loaded} what="What rules may name is loading" lines={8}>
        {({ names, begun }) => <Builder names={names} begun={begun ?? blankOf()} />}
      </Shown>
    </>
  );
}

function blankOf(): Saved {
  return { name: "", draft: blank(beginning()), base: null, hasComments: false, members: null };
}

/** What a file says; throws what the page says of one that cannot be read. */
function draftIn(name: string, { document }: AudienceFile): Draft {
  let detail = `audiences/${name}.yaml has an error`;
  try {
    if (document !== null) return draftOf(document);
  } catch (thrown) {
    if (!(thrown instanceof Unreadable)) throw thrown;
    detail = `audiences/${name}.yaml: ${thrown.message}`;
  }
  const remedy = "`tenfold audience lint` says what is wrong with it";
  throw new ApiError(0, { title: "The file of the audience cannot be read", detail, remedy });
}

/** An audience as its file in the project has it now, which may be newer than the snapshot. */
async function beginOf(name: string, at: string | null, signal: AbortSignal): Promise<Saved> {
  const [file, listed] = await Promise.all([getFile(name, signal), listAudiences(at, signal)]);
  const draft = draftIn(name, file);
  return {
    name,
    draft: { ...draft, rule: contained(draft.rule) },
    members: listed.audiences.find((one) => one.audience === name)?.members ?? null,
    base: file.hash,
    hasComments: /(^|\s)#/m.test(file.yaml),
  };
}
