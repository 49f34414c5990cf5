// The least that a server with a database can be: `DATABASE_URL PORT`.
import { connect } from '../../src/db/client.ts'

const [url = '', port = ''] = process.argv.slice(2)
const sql = connect(url, { max: 1, onnotice() {} })
Bun.serve({
  port: Number(port),
  hostname: '127.0.0.1',
  reusePort: false,
  async fetch() {
    await sql`select 1`
    return new Response('ok')
  },
})
