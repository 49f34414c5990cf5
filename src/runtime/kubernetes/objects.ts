// What is kept of the cluster's objects: the few fields that a sandbox's state is told from. Pure.

import { bytesOf, coresOf } from '../../lib/quantities.ts'
import { AGENT_CONTAINER, CREDENTIAL_KEY, GENERATION, SIDECAR_CONTAINER } from '../names.ts'
import type { ApiObject } from './client.ts'

/** A sandbox as it is wanted. */
export interface SetView {
  uid: string
  generation: number
  replicas: number
  /** Of the container that holds the CLI. */
  image?: string
  cpuLimit: number
  memoryLimitBytes: number
  /** Whether its files outlive its pod. */
  keepsFiles: boolean
  /** Name of its claim's template. */
  volume?: string
  isGoing: boolean
}

/** One container of the pod. */
export interface ContainerView {
  state: 'waiting' | 'running' | 'terminated'
  reason: string
  message: string
  startedAt?: Date
  restarts: number
  /** How it ended the last time. */
  lastEnd?: { reason: string; exitCode: number }
}

/** A sandbox as it runs. */
export interface PodView {
  uid: string
  generation: number
  credentialKey: string
  phase: string
  reason: string
  message: string
  image?: string
  node?: string
  ip?: string
  isScheduled: boolean
  /** What keeps it from a node. */
  unschedulable?: string
  /** Why the cluster takes it away, for example DeletionByTaintManager. */
  disruption?: string
  /** When it should be gone. */
  deadline?: Date
  /** How long it is given to end. */
  graceMs: number
  agent?: ContainerView
  sidecar?: ContainerView
}

/** Something that the cluster reports about an object. */
export interface EventView {
  uid: string
  objectUid: string
  kind: string
  reason: string
  message: string
  isWarning: boolean
  at: number
  /** How often it was reported. */
  count: number
  /** Who reports it, for example kubelet. */
  reporter: string
}

interface RawContainer {
  name: string
  restartCount?: number
  state?: RawState
  lastState?: RawState
}
interface RawState {
  waiting?: { reason?: string; message?: string }
  running?: { startedAt?: string }
  terminated?: { reason?: string; message?: string; exitCode?: number }
}
export interface RawSet extends ApiObject {
  spec: {
    replicas?: number
    volumeClaimTemplates?: { metadata?: { name?: string } }[]
    template: { spec: { containers: { name: string; image?: string; resources?: { limits?: Record<string, string> } }[] } }
  }
}
export interface RawPod extends ApiObject {
  spec?: { nodeName?: string; containers?: { name: string; image?: string }[] }
  status?: {
    phase?: string
    reason?: string
    message?: string
    podIP?: string
    conditions?: { type: string; status: string; reason?: string; message?: string }[]
    containerStatuses?: RawContainer[]
  }
}
export interface RawEvent extends ApiObject {
  involvedObject: { kind?: string; name?: string; uid?: string }
  type?: string
  reason?: string
  message?: string
  lastTimestamp?: string | null
  eventTime?: string | null
  count?: number
  source?: { component?: string }
  reportingComponent?: string
  series?: { lastObservedTime?: string; count?: number }
}

const LONGEST_MESSAGE = 1000

type Meta = { uid?: string; annotations?: Record<string, string>; deletionTimestamp?: string; deletionGracePeriodSeconds?: number; creationTimestamp?: string }

export function setView({ metadata, spec }: RawSet): SetView {
  const { uid = '', annotations = {}, deletionTimestamp } = metadata as Meta
  const container = spec.template.spec.containers.find(({ name }) => name === AGENT_CONTAINER)
  const limits = container?.resources?.limits ?? {}
  return {
    uid,
    generation: Number(annotations[GENERATION] ?? 0),
    replicas: spec.replicas ?? 1,
    image: container?.image,
    cpuLimit: coresOf(limits.cpu ?? '0'),
    memoryLimitBytes: bytesOf(limits.memory ?? '0'),
    keepsFiles: (spec.volumeClaimTemplates?.length ?? 0) > 0,
    volume: spec.volumeClaimTemplates?.[0]?.metadata?.name,
    isGoing: deletionTimestamp !== undefined,
  }
}

export function podView({ metadata, spec, status = {} }: RawPod): PodView {
  const { uid = '', annotations = {}, deletionTimestamp, deletionGracePeriodSeconds = 0 } = metadata as Meta
  const condition = (type: string) => status.conditions?.find((found) => found.type === type)
  const scheduled = condition('PodScheduled')
  const disruption = condition('DisruptionTarget')
  const container = (name: string) => containerView(status.containerStatuses?.find((found) => found.name === name))
  return {
    uid,
    generation: Number(annotations[GENERATION] ?? 0),
    credentialKey: annotations[CREDENTIAL_KEY] ?? '',
    phase: status.phase ?? 'Pending',
    reason: status.reason ?? '',
    message: cut(status.message),
    image: spec?.containers?.find(({ name }) => name === AGENT_CONTAINER)?.image,
    node: spec?.nodeName,
    ip: status.podIP,
    isScheduled: scheduled?.status === 'True',
    unschedulable: scheduled?.status === 'False' ? cut(scheduled.message) : undefined,
    disruption: disruption?.status === 'True' ? disruption.reason : undefined,
    deadline: deletionTimestamp ? new Date(deletionTimestamp) : undefined,
    graceMs: deletionGracePeriodSeconds * 1000,
    agent: container(AGENT_CONTAINER),
    sidecar: container(SIDECAR_CONTAINER),
  }
}

export function eventView({ metadata, involvedObject, type, reason, message, lastTimestamp, eventTime, count, series, source, reportingComponent }: RawEvent): EventView {
  const meta = metadata as Meta
  return {
    uid: meta.uid ?? metadata.name,
    objectUid: involvedObject.uid ?? '',
    kind: involvedObject.kind ?? '',
    reason: reason ?? '',
    message: cut(message),
    isWarning: type === 'Warning',
    count: series?.count ?? count ?? 1,
    reporter: source?.component || reportingComponent || '',
    at: Date.parse(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? meta.creationTimestamp ?? '') || 0,
  }
}

function containerView(raw: RawContainer | undefined): ContainerView | undefined {
  if (!raw) return undefined
  const { waiting, running, terminated } = raw.state ?? {}
  const last = raw.lastState?.terminated ?? terminated
  return {
    state: running ? 'running' : terminated ? 'terminated' : 'waiting',
    reason: waiting?.reason ?? terminated?.reason ?? '',
    message: cut(waiting?.message ?? terminated?.message),
    startedAt: running?.startedAt ? new Date(running.startedAt) : undefined,
    restarts: raw.restartCount ?? 0,
    lastEnd: last ? { reason: last.reason ?? '', exitCode: last.exitCode ?? 0 } : undefined,
  }
}

function cut(text: string | undefined): string {
  return (text ?? '').slice(0, LONGEST_MESSAGE)
}
