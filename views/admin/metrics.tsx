// Why there is no CPU and memory, told apart for admins.
import { Callout } from '../components/callout.tsx'
import type { MetricsKind } from './model.ts'

const WORDS: Record<Exclude<MetricsKind, 'here'>, { title: string; text: string }> = {
  missing: { title: 'No metrics', text: 'This cluster does not offer metrics.k8s.io. Install metrics-server to see CPU and memory.' },
  forbidden: { title: 'No metrics', text: 'The portal’s role may not list pods of metrics.k8s.io in the agents’ namespace. The chart’s role may.' },
  unreachable: { title: 'No metrics at the moment', text: 'The cluster’s metrics do not answer. They are asked again and again.' },
  pending: { title: 'No metrics yet', text: 'They are asked for just now.' },
}

/** The words; undefined where there are metrics. */
export function metricsWords(metrics: MetricsKind): { title: string; text: string } | undefined {
  return metrics === 'here' ? undefined : WORDS[metrics]
}

/** Says so above a table; empty where there are metrics. */
export function MetricsNote({ metrics }: { metrics: MetricsKind }) {
  const words = metricsWords(metrics)
  return words ? <Callout tone="accent" title={words.title} text={words.text} /> : ''
}
