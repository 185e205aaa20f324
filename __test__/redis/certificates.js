// Certificates for servers of the tests: an authority, and one it signed for localhost. Owns the files and how they are made.
// Never one that anything outside of a test should trust.
'use strict'

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const openssl = (folder, ...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })

/**
 * Makes them in `folder`; PEM texts beside the files' names.
 * @param {string} folder
 */
function certificates(folder) {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const authority = ['-x509', '-days', '2', '-subj', '/CN=authority of a test', '-keyout', 'ca.key', '-out', 'ca.crt']
  openssl(folder, 'req', ...curve, ...authority)
  for (const [name, usage] of [
    ['server', 'serverAuth'],
    ['client', 'clientAuth'],
  ]) {
    openssl(folder, 'req', ...curve, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
    const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1'
    fs.writeFileSync(path.join(folder, 'ext'), `${names}\nextendedKeyUsage=${usage}\nbasicConstraints=CA:FALSE\n`)
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext']
    openssl(folder, 'x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.crt`)
  }
  const file = (name) => path.join(folder, name)
  const text = (name) => fs.readFileSync(file(name), 'utf8')
  return {
    files: { ca: file('ca.crt'), cert: file('server.crt'), key: file('server.key') },
    ca: text('ca.crt'),
    cert: text('client.crt'),
    key: text('client.key'),
  }
}

module.exports = { certificates }
