// Why nothing can be saved, and what can be done instead.

import { Partial } from "../../ui/States.tsx";

export function ReadOnly() {
  return (
    <Partial>
      Nothing can be saved from here: the server does not write to the project for this caller. Either its folder cannot
      be written to, or the token has not the role operator. What you make can be downloaded as YAML and put into the
      project as <code>dashboards/NAME.yaml</code>.
    </Partial>
  );
}
