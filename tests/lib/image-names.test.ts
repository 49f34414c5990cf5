import { describe, expect, test } from 'bun:test'
import { imageNote, imageProblem, parseImage } from '../../src/lib/image-names.ts'

const SHA = 'a1'.repeat(32)

describe('names of images', () => {
  test.each([
    ['agent', { repository: 'agent' }],
    ['sac/agent:1.0.0', { repository: 'sac/agent', tag: '1.0.0' }],
    ['registry.example.com/sac/agent:1', { registry: 'registry.example.com', repository: 'sac/agent', tag: '1' }],
    ['registry.example.com:5000/sac/agent', { registry: 'registry.example.com:5000', repository: 'sac/agent' }],
    ['localhost/agent:dev', { registry: 'localhost', repository: 'agent', tag: 'dev' }],
    ['[::1]:5000/agent:1', { registry: '[::1]:5000', repository: 'agent', tag: '1' }],
    ['Registry.Example.COM/sac/agent:1', { registry: 'Registry.Example.COM', repository: 'sac/agent', tag: '1' }],
    [`ghcr.io/a/b@sha256:${SHA}`, { registry: 'ghcr.io', repository: 'a/b', digest: `sha256:${SHA}` }],
    [`ghcr.io/a/b:1@sha256:${SHA}`, { registry: 'ghcr.io', repository: 'a/b', tag: '1', digest: `sha256:${SHA}` }],
    ['a/b__c/d-e.f:_x', { repository: 'a/b__c/d-e.f', tag: '_x' }],
    ['a/b---c', { repository: 'a/b---c' }],
  ])('%s', (text, parts) => {
    expect(parseImage(text)).toEqual({ registry: undefined, tag: undefined, digest: undefined, ...parts })
  })

  test.each([
    '',
    ' ',
    'claude-code:2.2.0 rc1',
    'agent\t:1',
    'agent\n',
    'sac/Agent:1',
    'registry.example.com/Sac/agent:1',
    'https://registry.example.com/agent:1',
    'agent:',
    'agent:.1',
    'agent:-1',
    `agent:${'x'.repeat(129)}`,
    'agent:1:2',
    '/agent:1',
    'agent/:1',
    'a//b',
    '-agent',
    'agent-',
    'a.-b/c_/d',
    'a___b',
    '../agent',
    'agent@',
    'agent@sha256:abc',
    `agent@sha256:${SHA}00`,
    `agent@sha256:${SHA.toUpperCase()}`,
    `agent@sha256:${SHA}@sha256:${SHA}`,
    '@sha256:1',
    'registry.example.com:99999/agent:1',
    'registry.example.com:0/agent:1',
    'registry_.example.com:5000/agent',
    '-registry.example.com/agent',
    `${'a'.repeat(256)}:1`,
    'agënt:1',
    '--flag',
    '$(id)',
  ])('%j is none', (text) => {
    expect(imageProblem(text)).toBeString()
  })

  test.each([
    ['registry.example.com/sac/agent:1', undefined],
    [`registry.example.com/sac/agent@sha256:${SHA}`, undefined],
    [`registry.example.com/sac/agent:latest@sha256:${SHA}`, undefined],
    ['registry.example.com/sac/agent:latest', /fixed tag/],
    ['registry.example.com/sac/agent', /fixed tag/],
    ['sac/agent:1', /no registry/],
    ['agent', /fixed tag.*no registry/],
  ])('what surprises about %s', (text, note) => {
    if (note === undefined) expect(imageNote(text)).toBeUndefined()
    else expect(imageNote(text)).toMatch(note)
  })
})
