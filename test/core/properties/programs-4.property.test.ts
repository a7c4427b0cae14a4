import { testPrograms } from "./suite.ts";

testPrograms(4, 4);
