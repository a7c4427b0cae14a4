import { testPrograms } from "./suite.ts";

testPrograms(1, 4);
