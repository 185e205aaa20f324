// Which mistakes the linter looks for. Owns rules about meaning.
// Never a rule about layout: that is Prettier's.
'use strict'

const js = require('@eslint/js')
const globals = require('globals')

module.exports = [
  {
    ignores: ['target/', 'native/', '**/node_modules/', '**/.next/', '**/*.ts', '**/*.mts', '**/*.cts', '**/*.tsx'],
  },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: 'commonjs', globals: globals.node },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'array-callback-return': 'error',
      'default-case-last': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'off',
      'no-else-return': 'error',
      'no-eval': 'error',
      'no-extend-native': 'error',
      'no-implicit-globals': 'error',
      'no-implied-eval': 'error',
      'no-lonely-if': 'error',
      'no-new-func': 'error',
      'no-new-wrappers': 'error',
      'no-proto': 'error',
      'no-return-assign': 'error',
      'no-self-compare': 'error',
      'no-sequences': 'error',
      'no-template-curly-in-string': 'error',
      'no-throw-literal': 'error',
      'no-unmodified-loop-condition': 'error',
      'no-unreachable-loop': 'error',
      'no-unused-expressions': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' }],
      'no-useless-return': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'prefer-object-has-own': 'error',
      'require-atomic-updates': 'off',
      strict: ['error', 'global'],
    },
  },
  {
    files: ['**/*.mjs', '**/consumers/esm/*.js', 'examples/{next,next-cache,convex}/**/*.js'],
    languageOptions: { sourceType: 'module' },
    rules: { strict: 'off' },
  },
  {
    // What is published decides and answers; it does not talk.
    files: ['index.js', 'index.mjs', 'elsewhere.js', 'elsewhere.mjs', 'lib/**', 'adapters/**', 'kit/**'],
    rules: { 'no-console': 'error' },
  },
  {
    // A harness may compile a loop per peer, so that no peer warms up the code of another.
    files: ['bench/**'],
    rules: { 'no-new-func': 'off' },
  },
  {
    files: ['**/consumers/jest/*.test.js'],
    languageOptions: { globals: globals.jest },
  },
]
