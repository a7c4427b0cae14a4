import { testPrograms } from "./suite.ts";

testPrograms(2, 4);
