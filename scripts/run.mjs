// Runs one command and streams what it says. Owns the child's environment and how its end is told.
// Never interprets the output: whoever wants to read it passes `onText`.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The folder of package.json. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** A command that did not end well; its own output has already said why. */
export class CommandFailed extends Error {
  /** @param {string} command @param {string} why */
  constructor(command, why) {
    super(`${command}: ${why}`)
  }
}

/**
 * Resolves when the command exits with 0 and rejects with CommandFailed otherwise.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string>, onText?: (text: string) => void }} [options]
 * @returns {Promise<void>}
 */
export function run(command, args, { cwd = root, env = {}, onText } = {}) {
  // A node:test that finds itself inside another one reports to that one and prints nothing to count.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...inherited, ...env },
      stdio: ['inherit', onText ? 'pipe' : 'inherit', 'inherit'],
    })
    const out = child.stdout
    if (out && onText) {
      out.setEncoding('utf8').on('data', (text) => {
        process.stdout.write(text)
        onText(text)
      })
    }
    child.once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      reject(new CommandFailed(command, error.code === 'ENOENT' ? missing(command) : error.message))
    })
    child.once('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(new CommandFailed([command, ...args].join(' '), signal ? `ended by ${signal}` : `exit code ${code}`))
    })
  })
}

/** @param {string} command */
function missing(command) {
  return command === 'cargo'
    ? 'not found. The native side is compiled here, which takes Rust with rustfmt and clippy (see rust-version in Cargo.toml).'
    : 'not found on the PATH.'
}

/**
 * For scripts that are run by hand: a failed command ends the script with its last line, anything else with a stack.
 * @param {() => Promise<void>} script
 */
export async function main(script) {
  try {
    await script()
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    console.error(`\n${error.message}`)
    process.exitCode = 1
  }
}
