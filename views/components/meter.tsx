// How much of a limit is used, as a bar: amber from 70 %, red from 90 %, by the browser itself.

/** Bar and number. `word` stands before it where its column has no heading. */
export function UsageMeter({ label, word, percent }: { label: string; word?: string; percent: number }) {
  const value = Math.max(0, Math.min(100, Math.round(percent)))
  return (
    <span class={['usage', !word && 'cell']}>
      {word ? <span safe>{word}</span> : ''}
      <meter class="meter" min={0} max={100} low={70} high={90} optimum={0} value={value} aria-label={`${label} ${value} %`} />
      <span safe>{`${value}%`}</span>
    </span>
  )
}
