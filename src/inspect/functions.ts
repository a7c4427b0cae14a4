import type { Heap } from "./heap.ts";
import { OwnNames } from "./own-name.ts";
import { functionNameIn, isModuleScope, startIn } from "./scope-info.ts";
import { placeIn, readScript } from "./scripts.ts";
import type { Place, ScriptInfo } from "./scripts.ts";
import { decodePositions, positionAt } from "./source-positions.ts";
import type { SourcePositions } from "./source-positions.ts";

const MAX_TABLE = 1 << 20;
/** `Context::previous` (src/objects/contexts.h): the context around; that of a realm has none. */
const CONTEXT_AROUND = 24;
/** No code is nested deeper. */
const MAX_CONTEXTS = 10_000;
/** `SharedFunctionInfo::function_data`, later `trusted_function_data`: the first field in every version of the table. */
const FUNCTION_DATA = 8;
/** `FixedArrayBase::length`, which a `BytecodeArray` has too, in every version of the table. */
const BYTECODE_LENGTH = 8;
/** `InterpreterData::bytecode_array`. */
const INTERPRETED_BYTECODE = 8;

/** A function as it was compiled: what all its closures share. */
export interface FunctionInfo {
  /** By its text; empty for one without a name. A closure may have been given another. */
  readonly name: string;
  /** It is the top level of a module, which has a start before its first `await`. */
  readonly isModule: boolean;
  readonly script: ScriptInfo;
  /** Where its text begins in that; undefined where V8 does not say. */
  readonly start: number | undefined;
  /** In bytes. */
  readonly bytecodeLength: number;
  /** Undefined where V8 has none: then lines are unknown. */
  readonly positions: SourcePositions | undefined;
}

/** Whether an offset is one in the bytecode of a function. */
export function isInside({ bytecodeLength }: FunctionInfo, bytecodeOffset: number): boolean {
  return bytecodeOffset >= 0 && bytecodeOffset < bytecodeLength;
}

/** What is known of functions and scripts, read once for each, if no reference on the way was adrift. */
export class Functions {
  readonly #heap: Heap;
  readonly #functions = new Map<number, FunctionInfo>();
  readonly #scripts = new Map<number, ScriptInfo>();
  readonly #ownNames: OwnNames;

  constructor(heap: Heap) {
    this.#heap = heap;
    this.#ownNames = new OwnNames(heap);
  }

  /** What a closure is made of; undefined where a part of it does not look as it should. */
  of(closure: number): FunctionInfo | undefined {
    const heap = this.#heap;
    if (!heap.isFunction(heap.noted(closure))) return undefined;
    const shared = heap.follow(closure, heap.layout.fields.functionShared);
    const known = this.#functions.get(shared);
    if (known !== undefined) return known;
    const { adrift } = heap;
    const info = this.#read(shared);
    if (info !== undefined && heap.adrift === adrift) this.#functions.set(shared, info);
    return info;
  }

  /** What V8's stack traces call a closure: by its property, or else by its text. Empty where it has no name. */
  nameOf(closure: number, info: FunctionInfo): string {
    return this.#ownNames.of(closure) ?? info.name;
  }

  /** The place of the instruction at which a closure stands, by the offset in its bytecode. */
  placeOf(info: FunctionInfo, bytecodeOffset: number): Place | undefined {
    // What is torn may lead to the bytecode of another function: no line is better than one of that.
    const position =
      info.positions && isInside(info, bytecodeOffset)
        ? positionAt(info.positions, bytecodeOffset)
        : undefined;
    return position === undefined ? undefined : placeIn(info.script, position);
  }

  /** The native context of a closure, which holds the globals that it sees; NaN where its contexts lead nowhere. */
  realmOf(closure: number): number {
    const heap = this.#heap;
    let context = heap.word(closure, heap.layout.fields.functionContext);
    for (let depth = 0; heap.isContext(context) && depth < MAX_CONTEXTS; depth++) {
      const around = heap.word(context, CONTEXT_AROUND);
      if (!heap.isContext(around)) return context;
      context = around;
    }
    return Number.NaN;
  }

  /** Whether a closure is one of V8's own: those have no script. */
  isBuiltin(closure: number): boolean {
    const heap = this.#heap;
    const shared = heap.word(closure, heap.layout.fields.functionShared);
    return this.#scriptOf(shared) === undefined;
  }

  #read(shared: number): FunctionInfo | undefined {
    const heap = this.#heap;
    const { types } = heap.layout;
    if (heap.typeOf(shared) !== types.sharedFunction) return undefined;
    const at = this.#scriptOf(shared);
    const bytecode = this.#bytecodeOf(shared);
    if (at === undefined || bytecode === undefined) return undefined;
    const scope = heap.follow(shared, heap.layout.fields.sharedName);
    return {
      name: this.#nameOf(scope),
      isModule: heap.typeOf(scope) === types.scopeInfo && isModuleScope(heap, scope),
      script: this.#script(at),
      start: heap.typeOf(scope) === types.scopeInfo ? startIn(heap, scope) : undefined,
      bytecodeLength: heap.smi(bytecode, BYTECODE_LENGTH),
      positions: this.#positionsOf(bytecode),
    };
  }

  #script(at: number): ScriptInfo {
    const known = this.#scripts.get(at);
    if (known !== undefined) return known;
    const { adrift } = this.#heap;
    const script = readScript(this.#heap, at);
    if (this.#heap.adrift === adrift) this.#scripts.set(at, script);
    return script;
  }

  /** The script of a function. On V8 11 a function that was debugged has its debug information in that place. */
  #scriptOf(shared: number): number | undefined {
    const heap = this.#heap;
    const { script } = heap.layout.types;
    const direct = heap.follow(shared, heap.layout.fields.sharedScript);
    if (heap.typeOf(direct) === script) return direct;
    if (heap.layout.areScopeFlagsSmi && heap.typeOf(direct) > 0) {
      for (let offset = 8; offset < 64; offset += 8) {
        const inner = heap.word(direct, offset);
        if (heap.typeOf(inner) === script) return inner;
      }
    }
    return undefined;
  }

  /** From its scope, or, where it has nothing else to keep there, from that place itself. */
  #nameOf(scope: number): string {
    const heap = this.#heap;
    if (heap.typeOf(scope) === heap.layout.types.scopeInfo) return functionNameIn(heap, scope);
    return heap.name(scope) ?? "";
  }

  /** From the function's data to its bytecode: directly, or through what the interpreter or the compiler made of it. */
  #bytecodeOf(shared: number): number | undefined {
    const heap = this.#heap;
    const { bytecode, code, interpreterData } = heap.layout.types;
    let data = heap.follow(shared, FUNCTION_DATA);
    for (let step = 0; step < 3; step++) {
      const type = heap.typeOf(data);
      if (type === bytecode) return data;
      if (type === code) data = heap.word(data, heap.layout.codeBytecode);
      else if (type === interpreterData) data = heap.word(data, INTERPRETED_BYTECODE);
      else return undefined;
    }
    return undefined;
  }

  #positionsOf(bytecode: number): SourcePositions | undefined {
    const heap = this.#heap;
    const { sourcePositions, positionEntries, types } = heap.layout;
    const table = heap.follow(bytecode, sourcePositions);
    if (!types.byteArrays.includes(heap.typeOf(table))) return undefined;
    const length = heap.smi(table, 8);
    if (!(length > 0 && length < MAX_TABLE)) return undefined;
    const bytes = heap.memory.bytes(table - 1 + 16, length);
    return bytes && decodePositions(bytes, positionEntries);
  }
}
