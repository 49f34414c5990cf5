drop table network_reports;
