// A portal within the test whose agents have images.
import { startTestApp, type TestApp } from '../support/app.ts'
import { ImageRuntime, OLD } from './image-runtime.ts'

/** A portal whose sandboxes come from images, OLD unless something else is chosen. */
export async function startImageApp(): Promise<{ app: TestApp; runtime: ImageRuntime }> {
  const made: ImageRuntime[] = []
  const app = await startTestApp({
    runtime: (options) => {
      const runtime = new ImageRuntime(options)
      made.push(runtime)
      return runtime
    },
  })
  const [runtime] = made
  if (!runtime) throw new Error('the portal made no runtime')
  await app.portal.context.settings.set('docker_image', OLD, undefined)
  return { app, runtime }
}
