// The least that a list of agents can cost: Bun.serve, a checked token, the login's row and the agents' rows. `DATABASE_URL JWT_SECRET`; prints its port.
import { createHmac } from 'node:crypto'
import { connect } from '../../src/db/client.ts'
import { sha256Hex } from '../../src/lib/crypto.ts'

const [url = '', secret = ''] = process.argv.slice(2)
const sql = connect(url, { max: 10, onnotice() {} })

async function answer(request: Request): Promise<Response> {
  const [head = '', claims = '', signature = ''] = (request.headers.get('authorization') ?? '').slice('Bearer '.length).split('.')
  if (createHmac('sha256', secret).update(`${head}.${claims}`).digest('base64url') !== signature) return new Response(null, { status: 401 })
  const { sid } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sid: string }
  const [user] = await sql<{ id: number }[]>`select users.* from logins join users on users.id = logins.user_id where logins.id = ${sha256Hex(sid)} and logins.expires_at > now()`
  if (!user) return new Response(null, { status: 401 })
  const { pathname } = new URL(request.url)
  if (pathname === '/api/agents') return Response.json({ agents: await sql`select * from agents where created_by = ${user.id} and deleted_at is null order by id desc` })
  return Response.json({ sessions: await sql`select * from sessions where user_id = ${user.id} and status <> 'deleted' order by created_at desc` })
}

const server = Bun.serve({ port: 0, hostname: '127.0.0.1', reusePort: false, fetch: answer })
process.stdout.write(`${server.port}\n`)
