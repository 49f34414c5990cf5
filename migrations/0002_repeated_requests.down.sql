drop table repeated_requests;
