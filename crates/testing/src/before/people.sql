-- A database of the version before requests knew their credential, as `sqlite3 .dump` prints it: its
-- `breakglass serve` made it of seven requests, one of them with names that a still older version took.
INSERT INTO requests VALUES('req_01M8BW212BFN65JH1Z3EJZ9BVG','alice','[]','["oncall"]','prod','["orders:read"]','pending','INC-7',0,86400,1795694855,1795781255,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BW212H56YGSPK151ZDAG6N','alice','[]','["oncall"]','prod','["orders:read"]','approved','inc-7',0,86400,1795694855,1795781255,1795694855,'carol','grant_01M8BW2138X7BAJJQC4HTNPMP3',1795781255,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BW212N1GRNAVQT0NHWZ9TE','alice','[]','["oncall"]','prod','["orders:read"]','taken',NULL,0,86400,1795694855,1795781255,1795694855,'carol','grant_01M8BW213D0EYAVDTKMP3NB9CA',1795781255,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BW212V8WV5YZDS4FNC23AF','alice','[]','["oncall"]','prod','["orders:read"]','denied',NULL,0,86400,1795694855,1795781255,NULL,NULL,NULL,NULL,1795694855,'carol','no',NULL);
INSERT INTO requests VALUES('req_01M8BW212ZV6XT2452V29Y5GY5','zoe','[]','["oncall"]','prod','["orders:read"]','left','INC-7',0,86400,1795694855,1795781255,1795694855,'carol','grant_01M8BW213HGFTCWFP7E4XPJ40J',1795781255,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BW21330PRBZJA1P6J52DV5','zoe','[]','["oncall"]','prod','["orders:read"]','left_pending',NULL,0,86400,1795694855,1795781255,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_0old','ALICE ​','[]','["oncall"]','prod','["orders:read"]','odd','INC‐7 ',0,86400,1795694855,1795781255,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO audit VALUES(1,1795694855243,'alice','submit','req_01M8BW212BFN65JH1Z3EJZ9BVG',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":"INC-7","reason":"pending","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(2,1795694855249,'alice','submit','req_01M8BW212H56YGSPK151ZDAG6N',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":"inc-7","reason":"approved","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(3,1795694855253,'alice','submit','req_01M8BW212N1GRNAVQT0NHWZ9TE',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"taken","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(4,1795694855259,'alice','submit','req_01M8BW212V8WV5YZDS4FNC23AF',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"denied","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(5,1795694855263,'zoe','submit','req_01M8BW212ZV6XT2452V29Y5GY5',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":"INC-7","reason":"left","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(6,1795694855267,'zoe','submit','req_01M8BW21330PRBZJA1P6J52DV5',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"left_pending","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(7,1795694855272,'carol','approve','req_01M8BW212H56YGSPK151ZDAG6N','grant_01M8BW2138X7BAJJQC4HTNPMP3','{}');
INSERT INTO audit VALUES(8,1795694855277,'carol','approve','req_01M8BW212N1GRNAVQT0NHWZ9TE','grant_01M8BW213D0EYAVDTKMP3NB9CA','{}');
INSERT INTO audit VALUES(9,1795694855281,'carol','approve','req_01M8BW212ZV6XT2452V29Y5GY5','grant_01M8BW213HGFTCWFP7E4XPJ40J','{}');
INSERT INTO audit VALUES(10,1795694855284,'alice','issue_token','req_01M8BW212N1GRNAVQT0NHWZ9TE','grant_01M8BW213D0EYAVDTKMP3NB9CA','{"kid":"LxEgNV9Uy-QTNCMn0FVyPZ03hjHmQp7kJA3gqZJZ5pE"}');
INSERT INTO audit VALUES(11,1795694855289,'carol','deny','req_01M8BW212V8WV5YZDS4FNC23AF',NULL,'{"reason":"no"}');
INSERT INTO feed VALUES(1,'587adcbe5b5cb2d850223ed3ecb9d128');
INSERT INTO sqlite_sequence VALUES('audit',11);
