// An interval around zero, drawn on a scale that several of them share. The figures stand beside it, so screen readers
// pass it over.

interface Props {
  low: number;
  high: number;
  value: number;
  scale: [number, number];
}

const WIDTH = 160;
const HEIGHT = 18;
const EDGE = 4;

export function IntervalBar({ low, high, value, scale: [least, most] }: Props) {
  const x = (number: number) => EDGE + ((number - least) / (most - least)) * (WIDTH - 2 * EDGE);
  const middle = HEIGHT / 2;
  return (
    <svg class="interval" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      <line class="zero" x1={x(0)} x2={x(0)} y1={0} y2={HEIGHT} />
      <line class="span" x1={x(low)} x2={x(high)} y1={middle} y2={middle} />
      <line class="span" x1={x(low)} x2={x(low)} y1={middle - 4} y2={middle + 4} />
      <line class="span" x1={x(high)} x2={x(high)} y1={middle - 4} y2={middle + 4} />
      <circle cx={x(value)} cy={middle} r="3.5" />
    </svg>
  );
}
