// The picture of a widget as far as there is one: what is missing, what failed, and the last good answer.

import { useMemo } from "preact/hooks";
import { runCsv } from "../../api/sql.ts";
import { Chart } from "../../chart/Chart.tsx";
import type { ChartSpec } from "../../chart/shape.ts";
import type { Widget } from "../../spec/types.ts";
import { Empty, Failed, Loading } from "../../ui/States.tsx";
import type { Preview } from "./preview.ts";

export function Picture({ widget, preview }: { widget: Widget; preview: Preview }) {
  const { compiled, answer, earlier, error, incomplete, loading } = preview;
  // The same while only the place or the title changes, so that the picture is not drawn anew.
  const { mark, encode, format, options, describe } = widget;
  const spec = useMemo<ChartSpec>(
    () => ({ mark, encode, describe, ...(format ? { format } : {}), ...(options ? { options } : {}) }),
    [mark, encode, format, options, describe],
  );
  const cut = widget.sql === undefined && answer !== null && answer.row_count === widget.query?.limit;
  if (incomplete) {
    return (
      <Empty title="Not complete yet">
        <p>{incomplete}.</p>
      </Empty>
    );
  }
  return (
    <>
      {error && <Failed error={error} />}
      {cut && <p class="hint">The answer ends at {answer.row_count} rows, the most that this widget asks for.</p>}
      {answer && compiled ? (
        <div class={loading ? "picture shown stale" : "picture shown"} aria-busy={loading}>
          <Chart
            title={widget.title || widget.name}
            spec={spec}
            result={answer}
            earlier={earlier}
            csv={() => runCsv(compiled.sql, compiled.parameters, answer.snapshot.number)}
          />
        </div>
      ) : (
        loading && <Loading what="The picture is loading" />
      )}
    </>
  );
}
