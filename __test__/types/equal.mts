// Owns the question whether two types are the same one, which assignability does not answer: `any` is assignable to all.
// Never runs.

export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only for `same<Equal<…>>()` that holds. */
export declare function same<_T extends true>(): void
