// What there is to mend before a dashboard can be published, each with the way to its place.

import type { Finding } from "../../spec/check.ts";
import { Button } from "../../ui/Button.tsx";
import { Empty } from "../../ui/States.tsx";

interface Props {
  findings: Finding[];
  onPart: (tab: string) => void;
  onWidget: (name: string) => void;
}

export function Findings({ findings, onPart, onWidget }: Props) {
  if (findings.length === 0) {
    return (
      <Empty title="Nothing to mend">
        <p>The dashboard can be published as it is.</p>
      </Empty>
    );
  }
  return (
    <ul class="compose-list">
      {findings.map((finding) => (
        <li key={finding.place + finding.message} class="row">
          <code>{finding.place}</code>
          <span>{finding.message}</span>
          <Button
            kind="quiet"
            onClick={() => (finding.widget ? onWidget(finding.widget) : onPart(finding.place.startsWith("filters") ? "filters" : "dashboard"))}
          >
            Go there<span class="unseen">: {finding.place}</span>
          </Button>
        </li>
      ))}
    </ul>
  );
}
